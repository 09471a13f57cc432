// What this machine has for sandboxes, looked for once at the start of a run, and the test that
// they hold.
#pragma once

#include <string>

namespace hone::sandbox {

struct Machine {
  std::string bubblewrap;  // bwrap, found on PATH
  std::string program;     // hone_sandbox, beside the program that runs, or HONE_SANDBOX_PROGRAM
  std::string python;      // /usr/bin/python3 without links; empty: none
  std::string compiler;    // /usr/bin/g++; empty: none
  std::string filter;      // of system calls, for the kernel
};

// Finds the parts and starts sandboxes that try to get out (guest/probe.cpp). Throws RunError when
// a part is missing, a sandbox cannot be made or one does not hold; the message says how to allow
// it. There is no way on without a sandbox.
Machine FindMachine();

}  // namespace hone::sandbox
