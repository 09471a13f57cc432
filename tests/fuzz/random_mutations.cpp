// Stands in for libFuzzer in the normal build.
//
// usage: fuzz_NAME [--mutations N] [--seed N] FILE|FOLDER...
// Runs every file as it is, then N random mutations of them. Exit code 0, or whatever a finding
// ends the process with; the input at fault is then printed by its number.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

constexpr unsigned kSeconds = 10;            // that one input may take
constexpr rlim_t kMemory = rlim_t{2} << 30;  // address space; what is used is less
volatile unsigned long long g_number = 0;    // of the input that runs

void Tell(int signal) {
  char text[96];
  const int size = std::snprintf(text, sizeof(text), "fuzz: signal %d on input %llu\n", signal,
                                 static_cast<unsigned long long>(g_number));
  if (::write(STDERR_FILENO, text, static_cast<size_t>(size)) < 0) ::_exit(2);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

std::string Mutated(std::string bytes, const std::vector<std::string>& seeds,
                    std::mt19937_64* random) {
  const auto below = [&](size_t limit) { return limit == 0 ? 0 : (*random)() % limit; };
  static const std::vector<std::string> kWords = {"-1",
                                                  "1e999",
                                                  "18446744073709551615",
                                                  "9223372036854775808",
                                                  "null",
                                                  "{}",
                                                  "[]",
                                                  "\"\"",
                                                  "[[[[",
                                                  "\\ud800",
                                                  std::string(8, '\xFF'),
                                                  std::string(8, '\0'),
                                                  "\x7F\xFF\xFF\xFF"};
  for (size_t i = 0, changes = 1 + below(4); i < changes; ++i) {
    const size_t at = below(bytes.size() + 1),
                 length = below(std::min<size_t>(bytes.size() - at, 32) + 1);
    switch (below(7)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>((*random)());
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(below(bytes.size() + 1), 1 + below(64)));
        break;
      case 4:
        bytes.replace(at, length, kWords[below(kWords.size())]);
        break;
      case 5:
        bytes.resize(at);
        break;
      default:
        const std::string& other = seeds[below(seeds.size())];
        bytes = bytes.substr(0, at) + other.substr(below(other.size() + 1));
    }
  }
  return bytes;
}

void Run(const std::string& bytes) {
  ::alarm(kSeconds);
  // A copy of just this size, so that a sanitizer sees a read beyond it.
  const std::vector<uint8_t> input(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
  g_number = g_number + 1;
}

std::string Read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) {
  unsigned long long mutations = 0, seed = 1;
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if ((flag == "--mutations" || flag == "--seed") && i + 1 < argc) {
      (flag == "--seed" ? seed : mutations) = std::strtoull(argv[++i], nullptr, 10);
    } else if (fs::is_directory(flag)) {
      for (const auto& entry : fs::directory_iterator(flag)) files.push_back(entry.path());
    } else {
      files.emplace_back(flag);
    }
  }
  std::sort(files.begin(), files.end());
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGALRM}) ::signal(signal, Tell);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const rlimit limit = {kMemory, kMemory};
  ::setrlimit(RLIMIT_AS, &limit);
#endif
  std::vector<std::string> seeds;
  for (const fs::path& file : files) seeds.push_back(Read(file));
  if (seeds.empty()) {
    std::fprintf(stderr, "fuzz: no inputs\n");
    return 2;
  }
  for (const std::string& bytes : seeds) Run(bytes);
  std::mt19937_64 random(seed);
  for (unsigned long long i = 0; i < mutations; ++i)
    Run(Mutated(seeds[random() % seeds.size()], seeds, &random));
  std::printf("fuzz: %zu seeds and %llu mutations (seed %llu), nothing found\n", seeds.size(),
              mutations, seed);
}
