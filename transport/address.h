// Addresses at which a run may listen for workers of other processes.
#pragma once

#include <string>

namespace hone {

// Throws UsageError, which starts with `what`, unless the address is one that only this machine
// can reach: ipc:// with a path, or tcp:// with 127.0.0.1 or [::1] and a port. Nothing on the wire
// proves who the other side is, so nothing else is accepted.
void CheckLocalAddress(const std::string& what, const std::string& address);

}  // namespace hone
