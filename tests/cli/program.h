// Runs the program as a user does, and reads what it left.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace hone {

namespace fs = std::filesystem;

struct Outcome {
  int exit_code = -1;  // -signal when a signal ended it
  std::string out, err;
};

inline std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A folder of its own for a test, removed at the end; the program runs inside it.
class Workplace {
 public:
  Workplace() {
    std::string pattern = (fs::temp_directory_path() / "hone_cli_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Workplace() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

  void Write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

  // Starts the program; `environment` as NAME=value.
  pid_t Start(const std::vector<std::string>& arguments,
              const std::vector<std::string>& environment = {},
              const std::string& input = "") const {
    Write("stdin", input);
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (::chdir(path_.c_str()) != 0) ::_exit(99);
    if (!std::freopen("stdin", "r", stdin) || !std::freopen("stdout", "w", stdout) ||
        !std::freopen("stderr", "w", stderr)) {
      ::_exit(99);
    }
    for (const auto& variable : environment) ::putenv(const_cast<char*>(variable.c_str()));
    const std::string program = std::string(HONE_BINARY_DIR) + "/hone";
    std::vector<char*> argv = {const_cast<char*>(program.c_str())};
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    ::_exit(98);
  }

  Outcome Wait(pid_t child) const {
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), Slurp(path_ / "stdout"),
            Slurp(path_ / "stderr")};
  }

  Outcome Run(const std::vector<std::string>& arguments,
              const std::vector<std::string>& environment = {},
              const std::string& input = "") const {
    return Wait(Start(arguments, environment, input));
  }

  // Run that must succeed; returns stdout.
  std::string Ok(const std::vector<std::string>& arguments,
                 const std::vector<std::string>& environment = {},
                 const std::string& input = "") const {
    const Outcome outcome = Run(arguments, environment, input);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }

 private:
  fs::path path_;
};

// Every file under a folder, by relative path.
inline std::map<std::string, std::string> Contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file())
      files[fs::relative(entry.path(), folder).string()] = Slurp(entry.path());
  }
  return files;
}

// The same names and bytes; says which differ.
inline void ExpectSameFiles(const fs::path& a, const fs::path& b) {
  const auto left = Contents(a), right = Contents(b);
  EXPECT_FALSE(left.empty()) << a;
  for (const auto& [name, bytes] : left) {
    const auto found = right.find(name);
    if (found == right.end()) {
      ADD_FAILURE() << b / name << " is missing";
    } else {
      EXPECT_TRUE(found->second == bytes) << a / name << " and " << b / name << " differ";
    }
  }
  for (const auto& [name, bytes] : right)
    EXPECT_TRUE(left.count(name)) << a / name << " is missing";
}

}  // namespace hone
