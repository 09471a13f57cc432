// Sandboxes for tests, where this machine can make them.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "common/error.h"
#include "reward/sandbox/machine.h"

namespace hone {

class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    static const std::string refused = [] {
      try {
        machine_ = sandbox::FindMachine();
        return std::string();
      } catch (const RunError& error) {
        return std::string(error.what());
      }
    }();
    // Where one can be made it has to hold: only a machine that makes none is an excuse.
    if (refused.find("does not hold") != std::string::npos) FAIL() << refused;
    if (!machine_) GTEST_SKIP() << "no sandbox on this machine: " << refused;
  }
  // Nobody is left whom this process would have to wait for.
  void TearDown() override {
    if (machine_) {
      EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    }
  }
  static const sandbox::Machine& machine() { return *machine_; }

 private:
  static inline std::optional<sandbox::Machine> machine_;
};

// How many processes of this machine have the text in their command line.
inline int ProcessesNamed(const std::string& text) {
  int count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    std::ostringstream line;
    line << file.rdbuf();
    if (line.str().find(text) != std::string::npos) ++count;
  }
  return count;
}

}  // namespace hone
