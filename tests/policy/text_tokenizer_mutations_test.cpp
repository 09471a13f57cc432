// A few thousand mutated tokenizer.json through the fuzz target: refused, or used, but no crash.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "common/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace hone {
namespace {

void RunTarget(const std::string& file) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(file.data()), file.size());
}

// Most changes keep it JSON: words of one seed in place of another's, digits, pieces moved.
std::string Mutate(std::string file, const std::vector<std::string>& words, std::mt19937* random) {
  const auto below = [&](size_t bound) { return bound == 0 ? 0 : (*random)() % bound; };
  for (size_t i = 0, changes = 1 + below(4); i < changes && !file.empty(); ++i) {
    const size_t at = below(file.size());
    switch (below(5)) {
      case 0:
        file[at] = static_cast<char>((*random)());
        break;
      case 1: {
        const size_t quote = file.find('"', at), end = file.find('"', quote + 1);
        if (quote == std::string::npos || end == std::string::npos) break;
        file.replace(quote, end + 1 - quote, words[below(words.size())]);
        break;
      }
      case 2: {
        const size_t digit = file.find_first_of("0123456789", at);
        if (digit != std::string::npos) file[digit] = static_cast<char>('0' + below(10));
        break;
      }
      case 3:
        file.insert(at, file.substr(below(file.size()), below(40)));
        break;
      default:
        file.erase(at, below(20));
    }
  }
  return file;
}

TEST(TokenizerMutationsTest, AreRefusedOrUsedButNeverCrash) {
  std::vector<std::string> seeds, words;
  for (const auto& entry :
       std::filesystem::directory_iterator(HONE_SOURCE_DIR "/tests/fuzz/seeds/tokenizer")) {
    seeds.push_back(ReadFile(entry.path()));
  }
  ASSERT_GE(seeds.size(), 4u);
  std::sort(seeds.begin(), seeds.end());
  for (const std::string& seed : seeds) {
    RunTarget(seed);
    for (size_t at = 0; (at = seed.find('"', at)) != std::string::npos;) {
      const size_t end = seed.find('"', at + 1);
      words.push_back(seed.substr(at, end + 1 - at));
      at = end + 1;
    }
  }
  std::mt19937 random(3);
  for (int i = 0; i < 4000; ++i) RunTarget(Mutate(seeds[random() % seeds.size()], words, &random));
}

}  // namespace
}  // namespace hone
