#include "reward/plugins/exchange.h"

#include <algorithm>

namespace hone {

OrderedJson SampleToJson(const Sample& sample, const Json& options) {
  return {{"prompt", sample.prompt}, {"completion", sample.completion}, {"columns", sample.columns},
          {"group", sample.group},   {"index", sample.index},           {"options", options}};
}

std::optional<Verdict> VerdictFromJson(const Json& answer) {
  if (!answer.is_object()) return std::nullopt;
  const auto error = answer.find("error"), reward = answer.find("reward");
  if (error != answer.end() && error->is_string()) {
    return Verdict{.error = error->get<std::string>()};
  }
  if (reward == answer.end() || !reward->is_number()) return std::nullopt;
  return Verdict{.reward = reward->get<double>()};
}

PluginOptions TellApart(const Json& options, const std::vector<std::string>& settings) {
  PluginOptions result;
  for (const auto& [key, value] : options.items()) {
    const bool setting = std::find(settings.begin(), settings.end(), key) != settings.end();
    (setting ? result.settings : result.own)[key] = value;
  }
  return result;
}

}  // namespace hone
