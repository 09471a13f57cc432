#include "reward/plugins/http_connection.h"

#include "common/module.h"

namespace hone {
namespace {

const HttpModule& Loaded() {
  using Entry = const HttpModule* (*)();
  static const HttpModule* module =
      reinterpret_cast<Entry>(LoadModule({.what = "the module that speaks HTTP",
                                          .file = "libhone_http.so",
                                          .variable = "HONE_HTTP_MODULE",
                                          .entry = kHttpModule,
                                          .remedy = "build the target hone_http"}))();
  return *module;
}

}  // namespace

std::string CheckUrl(const std::string& url) { return Loaded().check_url(url); }

std::unique_ptr<HttpConnection> MakeHttpConnection(const HttpTarget& target) {
  return std::unique_ptr<HttpConnection>(Loaded().make_connection(target));
}

}  // namespace hone
