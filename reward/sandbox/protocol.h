// What hone and the supervisor inside a sandbox say to each other, over one stream socket. Both are
// of the same build on the same machine: structs travel as they lie in memory.
//
// hone: Orders; then, for each run, RunRequest and the bytes of its standard input.
// supervisor: kHello when it is ready; then, for each run, RunReport and the bytes of its output.
// The end of the stream ends the sandbox.
#pragma once

#include <cstdint>

namespace hone::sandbox {

// File descriptors of the supervisor, as hone lays them out.
inline constexpr int kControlFd = 3;
inline constexpr int kFirstDataFd = 4;

// File descriptors of a program that talks to another one (Orders::talk_fd).
inline constexpr int kTalkReadFd = 3;
inline constexpr int kTalkWriteFd = 4;

inline constexpr char kHello = 'h';
inline constexpr const char* kProgramPath = "/hone/sandbox";   // the supervisor itself
inline constexpr const char* kCollectedPath = "/tmp/program";  // Orders::collect

struct Limits {
  uint64_t cpu_ms = 5'000;            // of the program's process, from its start
  uint64_t wall_ms = 11'000;          // from its start
  uint64_t memory_bytes = 512 << 20;  // address space of each process
  uint64_t file_bytes = 16 << 20;     // all of /tmp
  uint64_t output_bytes = 16 << 20;   // of standard output; more ends the run
  uint32_t processes = 16;            // processes and threads at once
  uint32_t files = 4'096;             // files and folders in /tmp; many more end the run
};

struct Orders {
  Limits limits;
  int32_t talk_fd = -1;  // the first of two, to read and to write; closed after the first run
  uint32_t collect = 0;  // 1: the output of a run is the file that it left at kCollectedPath
};

struct RunRequest {
  uint64_t input_bytes = 0;
};

enum class RunEnd : uint32_t {
  kExited,      // status: the exit code
  kSignalled,   // status: the signal
  kCpuTime,     // over the limit of CPU time
  kWallTime,    // over the limit of wall time
  kOutput,      // over the limit of output
  kFiles,       // over the limit of files
  kNotStarted,  // status: errno
};

struct RunReport {
  RunEnd end = RunEnd::kNotStarted;
  int32_t status = 0;
  uint64_t cpu_us = 0, wall_us = 0;
  uint64_t output_bytes = 0;
  uint32_t left_files = 0;  // 1: /tmp is not empty, and the supervisor ends here
};

}  // namespace hone::sandbox
