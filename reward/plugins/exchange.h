// What hone and a verifier of a user's own say to one another, as JSON: in lines
// (program_verifier.h) or by HTTP (http_verifier.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reward/verify.h"

namespace hone {

// {"prompt", "completion", "columns": {…}, "group", "index", "options": {…}}.
OrderedJson SampleToJson(const Sample& sample, const Json& options);

// Of {"reward": number} or {"error": text}; nothing when it is neither.
std::optional<Verdict> VerdictFromJson(const Json& answer);

// The options of a [[reward]] table, told apart: those named are hone's, the others the verifier's
// own.
struct PluginOptions {
  Json settings = Json::object(), own = Json::object();
};
PluginOptions TellApart(const Json& options, const std::vector<std::string>& settings);

}  // namespace hone
