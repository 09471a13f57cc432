#include "transport/address.h"

#include <charconv>
#include <string_view>

#include "common/error.h"

namespace hone {
namespace {

bool IsPort(std::string_view text) {
  int port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && rest == end && port >= 1 && port <= 65535;
}

}  // namespace

void CheckLocalAddress(const std::string& what, const std::string& address) {
  const std::string_view text = address;
  const auto refuse = [&](const std::string& why) {
    throw UsageError(what +
                     ": expected ipc://PATH, tcp://127.0.0.1:PORT or tcp://[::1]:PORT, found " +
                     address + ": " + why);
  };
  constexpr std::string_view kIpc = "ipc://", kTcp = "tcp://";
  if (text.starts_with(kIpc)) {
    const std::string_view path = text.substr(kIpc.size());
    // '*' has a path that nobody else knows, and '@' is a name that any user of the machine can
    // use.
    if (path.empty() || path[0] == '*' || path[0] == '@') refuse("that is no path of a file");
    return;
  }
  if (!text.starts_with(kTcp)) refuse("that is another kind of address");
  for (const std::string_view host : {"127.0.0.1:", "[::1]:"}) {
    if (!text.substr(kTcp.size()).starts_with(host)) continue;
    if (!IsPort(text.substr(kTcp.size() + host.size()))) refuse("the port is none from 1 to 65535");
    return;
  }
  refuse("workers are not told from strangers by a key, so only this machine may reach it");
}

}  // namespace hone
