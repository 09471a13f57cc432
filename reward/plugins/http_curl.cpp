// The module behind http_connection.h. The only source that includes libcurl.
#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "common/error.h"
#include "reward/plugins/http_connection.h"

namespace hone {
namespace {

// A server that cannot be reached is no better a second later; what remains of the deadline is for
// another try.
constexpr long kConnectMilliseconds = 10'000;

void StartCurl() {
  // Once, by whichever thread is first.
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) {
    throw RunError(fmt::format("libcurl cannot start: {}", curl_easy_strerror(started)));
  }
}

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string Part(const Url& url, CURLUPart part) {
  char* value = nullptr;
  if (curl_url_get(url.get(), part, &value, 0) != CURLUE_OK) return "";
  std::string copy = value;
  curl_free(value);
  return copy;
}

// Metrics and gates call verifiers by names of these letters.
std::string Plain(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](unsigned char c) { return !std::isalnum(c) && c != '_' && c != '-'; }, '_');
  return text;
}

HttpReply::Kind KindOf(CURLcode code) {
  using Kind = HttpReply::Kind;
  switch (code) {
    case CURLE_OK:
      return Kind::kReply;
    case CURLE_OPERATION_TIMEDOUT:
      return Kind::kTimeout;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
      return Kind::kUnreachable;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ENGINE_INITFAILED:
      return Kind::kMachine;
    default:
      return Kind::kBroken;
  }
}

std::string CheckUrlByCurl(const std::string& text) {
  StartCurl();
  const bool http = text.starts_with("http://") || text.starts_with("https://");
  if (!http) {
    throw UsageError(
        fmt::format("verifier: {}: expected a URL that starts with http:// or https://", text));
  }
  const Url url(curl_url(), &curl_url_cleanup);
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER);
  if (code == CURLUE_USER_NOT_ALLOWED) {
    throw UsageError(
        "verifier: found a URL with a user or a password, which would stand in the run's "
        "config.toml; expected the secret in an environment variable, which api_key_env names");
  }
  if (code != CURLUE_OK) {
    throw UsageError(
        fmt::format("verifier: {}: expected http://host:port/path or https://host/path: {}", text,
                    curl_url_strerror(code)));
  }
  if (!Part(url, CURLUPART_FRAGMENT).empty()) {
    throw UsageError(fmt::format("verifier: {}: a fragment (#) is not sent to servers", text));
  }
  std::string path = Part(url, CURLUPART_PATH);
  while (path.ends_with('/')) path.pop_back();
  const std::string word = path.substr(path.rfind('/') + 1);
  return Plain(word.empty() ? Part(url, CURLUPART_HOST) : word);
}

class CurlConnection : public HttpConnection {
 public:
  explicit CurlConnection(const HttpTarget& target);
  ~CurlConnection() override {
    curl_easy_cleanup(curl_);
    curl_slist_free_all(headers_);
  }
  CurlConnection(const CurlConnection&) = delete;
  CurlConnection& operator=(const CurlConnection&) = delete;

  HttpReply Post(const std::string& body, Time deadline) override;

 private:
  // Called by curl with a part of the reply; another number than it gave ends the transfer.
  static size_t Receive(const char* bytes, size_t, size_t size, void* self);

  CURL* curl_ = nullptr;
  curl_slist* headers_ = nullptr;
  char problem_[CURL_ERROR_SIZE] = "";
  std::string body_;
  bool too_long_ = false;
};

CurlConnection::CurlConnection(const HttpTarget& target) {
  StartCurl();
  curl_ = curl_easy_init();
  if (curl_ == nullptr) throw RunError("libcurl has no memory for a connection");
  // An empty Expect: a large body is sent without asking for leave first.
  for (const char* header : {"Content-Type: application/json", "Expect:"}) {
    headers_ = curl_slist_append(headers_, header);
  }
  for (const std::string& header : target.headers) {
    headers_ = curl_slist_append(headers_, header.c_str());
  }
  curl_easy_setopt(curl_, CURLOPT_URL, target.url.c_str());
  curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl_, CURLOPT_PROXY, "");
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl_, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!target.ca_file.empty()) {
    curl_easy_setopt(curl_, CURLOPT_CAINFO, target.ca_file.c_str());
    curl_easy_setopt(curl_, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(curl_, CURLOPT_USERAGENT, "hone");
  curl_easy_setopt(curl_, CURLOPT_POST, 1L);
  curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, problem_);
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &CurlConnection::Receive);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, this);
}

size_t CurlConnection::Receive(const char* bytes, size_t, size_t size, void* self) {
  auto* connection = static_cast<CurlConnection*>(self);
  connection->too_long_ = connection->body_.size() + size > kLongestReply;
  if (connection->too_long_) return 0;
  connection->body_.append(bytes, size);
  return size;
}

HttpReply CurlConnection::Post(const std::string& body, Time deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) return {.kind = HttpReply::Kind::kTimeout, .problem = "no time is left"};
  body_.clear();
  too_long_ = false;
  problem_[0] = 0;
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  const CURLcode code = curl_easy_perform(curl_);
  HttpReply reply;
  reply.kind = too_long_ ? HttpReply::Kind::kTooLong : KindOf(code);
  reply.problem = problem_[0] != 0 ? problem_ : curl_easy_strerror(code);
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &reply.status);
  const char* location = nullptr;
  curl_easy_getinfo(curl_, CURLINFO_REDIRECT_URL, &location);
  if (location != nullptr) reply.location = location;
  reply.body = std::move(body_);
  return reply;
}

HttpConnection* MakeCurlConnection(const HttpTarget& target) { return new CurlConnection(target); }

}  // namespace
}  // namespace hone

extern "C" const hone::HttpModule* hone_http_module() {
  static const hone::HttpModule module = {hone::CheckUrlByCurl, hone::MakeCurlConnection};
  return &module;
}
