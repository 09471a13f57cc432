// hone_verifier_host LIBRARY OPTIONS [--check]: a verifier in a shared library
// (reward/verifier.h), as a program that speaks JSON Lines (program_verifier.h).
//
// It is a process of its own so that a library that crashes, hangs or corrupts memory takes nothing
// of the run with it. With --check it loads the library, makes an instance, and says its name.
#include <dlfcn.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "common/json.h"
#include "reward/verifier.h"

namespace hone {
namespace {

constexpr size_t kMessageBytes = 1024;

hone_text Text(const std::string& text) { return {text.data(), text.size()}; }

// A message that the library may write.
struct Message {
  char text[kMessageBytes] = "";
  hone_message out() { return {text, sizeof(text)}; }
  // What it wrote, or else `otherwise`.
  std::string Read(const char* otherwise) {
    text[sizeof(text) - 1] = 0;
    return text[0] == 0 ? otherwise : text;
  }
};

// The library's own output goes to standard error: what it prints is no answer.
FILE* TakeStandardOutput() {
  FILE* answers = fdopen(dup(STDOUT_FILENO), "w");
  dup2(STDERR_FILENO, STDOUT_FILENO);
  return answers;
}

class Host {
 public:
  explicit Host(FILE* answers) : answers_(answers) {}

  // Why it cannot be used; empty when it can.
  std::string Load(const char* path, const std::string& options) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return std::string("cannot be loaded: ") + dlerror();
    void* symbol = dlsym(library, "hone_verifier_plugin");
    if (symbol == nullptr) return "is no verifier: it has no function hone_verifier_plugin";
    table_ = reinterpret_cast<decltype(&hone_verifier_plugin)>(symbol)();
    if (table_ == nullptr) return "hone_verifier_plugin gave no table";
    if (table_->abi != HONE_VERIFIER_ABI) {
      return "was made for version " + std::to_string(table_->abi) +
             " of the interface, and this hone has version " + std::to_string(HONE_VERIFIER_ABI) +
             ": build it again with this hone's header";
    }
    if (table_->name == nullptr || table_->create == nullptr || table_->score == nullptr ||
        table_->destroy == nullptr) {
      return "its table has empty entries";
    }
    Message message;
    instance_ = table_->create(Text(options), message.out());
    return instance_ == nullptr ? message.Read("refused its options without a reason") : "";
  }

  std::string name() const { return table_->name; }

  void Say(const OrderedJson& answer) {
    const std::string line = Dump(answer) + "\n";
    std::fwrite(line.data(), 1, line.size(), answers_);
    std::fflush(answers_);
  }

  void Answer(const std::string& line) {
    const Json request = Json::parse(line);
    const auto prompt = request["prompt"].get<std::string>();
    const auto completion = request["completion"].get<std::string>();
    const std::string columns = Dump(request["columns"]);
    const hone_sample sample = {.prompt = Text(prompt),
                                .completion = Text(completion),
                                .columns = Text(columns),
                                .group = request["group"].get<uint64_t>(),
                                .index = request["index"].get<uint32_t>()};
    double reward = 0;
    Message message;
    if (table_->score(instance_, &sample, &reward, message.out()) != 0) {
      Say({{"error", message.Read("could not decide")}});
    } else if (!std::isfinite(reward)) {
      Say({{"error", "gave a reward that is no finite number"}});
    } else {
      Say({{"reward", reward}});
    }
  }

  void Close() { table_->destroy(instance_); }

 private:
  FILE* answers_;
  const hone_verifier_table* table_ = nullptr;
  void* instance_ = nullptr;
};

int Main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "hone_verifier_host: hone starts this program; it loads a verifier's library\n";
    return 2;
  }
  Host host(TakeStandardOutput());
  const std::string problem = host.Load(argv[1], argv[2]);
  if (!problem.empty()) {
    host.Say({{"error", problem}});
    return 2;
  }
  if (argc > 3) {
    host.Say({{"name", host.name()}});
  } else {
    for (std::string line; std::getline(std::cin, line);) host.Answer(line);
  }
  host.Close();
  return 0;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) { return hone::Main(argc, argv); }
