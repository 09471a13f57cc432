// The program hone_sandbox: its roles, none of which runs anything of hone's. Linked statically,
// for it is copied into sandboxes that hold nothing else. No exceptions, no allocation by the
// standard library: what stands here is all that runs beside hostile code.
#pragma once

namespace hone::sandbox {

// Before bubblewrap, outside: leaves behind what a sandbox must not inherit, then becomes it.
//   launch PARENT_PID FIRST_FD_TO_CLOSE BWRAP ARGUMENTS…
int Launch(int count, char** arguments);

// The first process of the sandbox: runs the program once for each request and reports.
//   supervise PROGRAM ARGUMENTS…
int Supervise(int count, char** arguments);

// A program in the sandbox that tries what must fail. Prints what did not; nothing when all holds.
//   probe FORBIDDEN_PATH…
int Probe(int count, char** arguments);

// Uses CPU time until it is ended; `sleep` uses none.
int Spin();

}  // namespace hone::sandbox
