// hone's side of bench/tokenizer_vs_hf: stays up, and for each line on stdin, "encode" or "decode",
// does all documents once in one thread and prints the seconds that took.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "policy/text/tokenizer.h"

namespace hone::bench {
namespace {

int Serve(const char* tokenizer_json, const char* documents_jsonl) {
  const auto tokenizer = Tokenizer::Load(tokenizer_json);
  std::vector<std::string> documents;
  std::vector<std::vector<int32_t>> ids;
  int64_t bytes = 0, tokens = 0;
  ForEachLine(documents_jsonl, [&](const std::string& line, int64_t number) {
    documents.push_back(ParseJsonLine(line, documents_jsonl, number));
    ids.push_back(tokenizer->Encode(documents.back()));
    bytes += static_cast<int64_t>(documents.back().size());
    tokens += static_cast<int64_t>(ids.back().size());
  });
  std::cout << Dump(Json{{"bytes", bytes}, {"tokens", tokens}}) << std::endl;
  for (std::string job; std::getline(std::cin, job);) {
    const auto begin = std::chrono::steady_clock::now();
    size_t written = 0;
    for (size_t i = 0; i < documents.size(); ++i) {
      written += job == "decode" ? tokenizer->Decode(ids[i]).size()
                                 : tokenizer->Encode(documents[i]).size();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::cout << Dump(Json{{"seconds", seconds.count()}, {"written", written}}) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace hone::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_tokenizer TOKENIZER_JSON DOCUMENTS_JSONL\n");
    return 2;
  }
  try {
    return hone::bench::Serve(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_tokenizer: %s\n", error.what());
    return 1;
  }
}
