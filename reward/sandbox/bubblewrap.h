// The argument list of bubblewrap, which is the whole of its protection.
#pragma once

#include <string>
#include <vector>

#include "reward/sandbox/process.h"

namespace hone::sandbox {

// Descriptors that bubblewrap reads, as it finds them.
struct BubblewrapInputs {
  int filter = -1;
  int program = -1;  // hone_sandbox, copied in: its folder may be closed to the sandbox's user
  std::vector<int> files;  // of Command::files
};

std::vector<std::string> BubblewrapArguments(const Machine& machine, const Command& command,
                                             const BubblewrapInputs& inputs);

}  // namespace hone::sandbox
