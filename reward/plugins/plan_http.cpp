// Which server a [[reward]] table means, and how it is spoken to.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "common/error.h"
#include "reward/options.h"
#include "reward/plugins/exchange.h"
#include "reward/plugins/http_verifier.h"

namespace hone {
namespace {

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Text that stands in one line of a request, and says what it seems to say.
bool Printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 32 && c < 127; });
}

std::string CheckHeader(const Json& header) {
  const std::string text = header.is_string() ? header.get<std::string>() : "";
  const size_t colon = text.find(':');
  const bool named = colon != std::string::npos && colon > 0 &&
                     std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(colon),
                                 [](unsigned char c) { return std::isalnum(c) || c == '-'; });
  if (!named || !Printable(text) || text.find_first_not_of(' ', colon + 1) == std::string::npos) {
    throw UsageError(
        fmt::format("headers: expected a list of \"Name: value\", found {}", Dump(header)));
  }
  const std::string name = Lower(text.substr(0, colon));
  for (const char* secret : {"authorization", "proxy-authorization", "cookie", "x-api-key"}) {
    if (name != secret) continue;
    throw UsageError(fmt::format(
        "headers: {}: a secret would stand in the run's config.toml; expected it in an environment "
        "variable, which api_key_env names",
        name));
  }
  for (const char* own :
       {"host", "content-type", "content-length", "transfer-encoding", "expect"}) {
    if (name == own) throw UsageError(fmt::format("headers: {}: hone writes this one", name));
  }
  return text;
}

std::string BearerToken(const std::string& variable) {
  const char* key = std::getenv(variable.c_str());
  if (key == nullptr || *key == 0) {
    throw UsageError(fmt::format(
        "api_key_env: expected the key in the environment variable {}, which is not set",
        variable));
  }
  if (!Printable(key)) {
    throw UsageError(fmt::format(
        "api_key_env: expected one line of printable ASCII in {}, found other bytes", variable));
  }
  return fmt::format("Authorization: Bearer {}", key);
}

}  // namespace

bool IsUrl(const std::string& verifier) { return verifier.find("://") != std::string::npos; }

HttpPlan PlanHttp(const RewardConfig& config) {
  HttpPlan plan;
  plan.name = CheckUrl(config.verifier);
  plan.target.url = config.verifier;
  auto [settings, own] = TellApart(
      config.options,
      {"timeout_s", "retries", "batch_size", "connections", "headers", "api_key_env", "ca_file"});
  plan.options = std::move(own);
  const Json headers = settings.value("headers", Json::array());
  settings.erase("headers");
  if (!headers.is_array()) CheckHeader(headers);
  for (const Json& header : headers) plan.target.headers.push_back(CheckHeader(header));

  OptionReader reader(config.verifier, settings);
  plan.timeout_s = reader.Number("timeout_s", plan.timeout_s, 0.001, 86'400);
  plan.retries = static_cast<int>(reader.Integer("retries", plan.retries, 0, 100));
  plan.batch_size = static_cast<int>(reader.Integer("batch_size", plan.batch_size, 1, 65'536));
  plan.connections = static_cast<int>(reader.Integer("connections", plan.connections, 1, 1024));
  plan.target.ca_file = reader.Text("ca_file", "");
  const std::string variable = reader.Text("api_key_env", "");
  reader.Finish();

  if (!variable.empty()) plan.target.headers.push_back(BearerToken(variable));
  if (!plan.target.ca_file.empty() && !std::filesystem::is_regular_file(plan.target.ca_file)) {
    throw UsageError(fmt::format("ca_file: {}: no such file; expected certificates as PEM",
                                 plan.target.ca_file));
  }
  return plan;
}

}  // namespace hone
