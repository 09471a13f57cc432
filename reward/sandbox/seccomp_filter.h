// Which system calls a sandbox may make, as a program for the kernel.
#pragma once

#include <string>

namespace hone::sandbox {

// Every call that libseccomp knows but for those that reach other processes, the network, mounts,
// namespaces, keys, kernel memory or memory that no limit counts: those fail with EPERM. What
// libseccomp does not know fails with ENOSYS, and so does clone3, whose flags no filter can read
// (the C library then takes clone). Calls of another architecture (x86's 32-bit calls, x32) kill
// the process. Throws RunError.
std::string MakeSeccompFilter();

}  // namespace hone::sandbox
