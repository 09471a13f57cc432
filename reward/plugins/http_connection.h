// POST over HTTP with every surprise turned off: no redirect is followed, no proxy of the
// environment is used, no other protocol is spoken, certificates are checked, and a reply that has
// no end is cut off.
//
// libcurl does it, in a module of its own (libhone_http.so): its forty libraries take longer to
// load than most commands take to run. The module is loaded at the first call, from the file that
// HONE_HTTP_MODULE names when it is set, else from libhone_http.so beside the program; both
// functions throw RunError without it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hone {

struct HttpTarget {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string ca_file;               // PEM; empty: the certificate authorities of this machine
};

// Throws UsageError unless it is an http:// or https:// URL with a host and without a user,
// password or fragment. Returns what is a fair name for what answers there: the last word of the
// path, else the host.
std::string CheckUrl(const std::string& url);

struct HttpReply {
  enum class Kind {
    kReply,        // of any status
    kTimeout,      // none by the deadline
    kUnreachable,  // there was nobody to send the request to
    kBroken,       // the connection ended before the reply did
    kTooLong,
    kMachine,  // this machine failed
  };
  Kind kind = Kind::kMachine;
  long status = 0;
  std::string body = {};
  std::string location = {};  // where a redirect points
  std::string problem = {};   // why there is no reply
};

// Thread contract: one caller at a time.
class HttpConnection {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr size_t kLongestReply = size_t{16} << 20;

  virtual ~HttpConnection() = default;
  // Sends JSON, and waits for the whole reply.
  virtual HttpReply Post(const std::string& body, Time deadline) = 0;
};

// Connects when it is first used, and stays connected from request to request.
std::unique_ptr<HttpConnection> MakeHttpConnection(const HttpTarget& target);

// What the module's one entry gives.
struct HttpModule {
  std::string (*check_url)(const std::string& url);
  HttpConnection* (*make_connection)(const HttpTarget& target);
};
inline constexpr const char* kHttpModule = "hone_http_module";

}  // namespace hone
