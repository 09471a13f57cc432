// hone train-tokenizer: a byte-level BPE of a vocabulary's size, learned from text.
#include <CLI/CLI.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "policy/text/bpe_trainer.h"
#include "policy/text/tokenizer.h"

namespace hone {
namespace {

struct Options {
  std::vector<std::string> inputs;
  std::string output;
  BpeTraining training;
};

// A line with its end, as Hugging Face's trainer takes files.
void AddTextFile(const std::string& path, BpeTrainer* trainer) {
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  for (size_t begin = 0; begin < text.size();) {
    const size_t newline = text.find('\n', begin);
    const size_t end = newline == std::string_view::npos ? text.size() : newline + 1;
    trainer->Add(text.substr(begin, end - begin));
    begin = end;
  }
}

// The whole of each line's "text".
void AddJsonLines(const std::string& path, BpeTrainer* trainer) {
  ForEachLine(path, [&](const std::string& line, int64_t number) {
    const Json row = ParseJsonLine(line, path, number);
    const auto text = row.is_object() ? row.find("text") : row.end();
    if (text == row.end() || !text->is_string()) {
      throw FileError(path, "line " + std::to_string(number),
                      "expected an object with a string \"text\"");
    }
    trainer->Add(text->get_ref<const std::string&>());
  });
}

void TrainTokenizer(const Options& options) {
  BpeTrainer trainer(options.training);
  for (const std::string& path : options.inputs) {
    if (path.ends_with(".jsonl")) {
      AddJsonLines(path, &trainer);
    } else {
      AddTextFile(path, &trainer);
    }
  }
  spdlog::info("{} distinct words", trainer.distinct_words());
  const std::string json = trainer.Train();
  const auto tokenizer = Tokenizer::Parse(json, options.output);
  if (tokenizer->vocab_size() < options.training.vocab_size) {
    spdlog::info("the text holds no more pairs: {} tokens, not {}", tokenizer->vocab_size(),
                 options.training.vocab_size);
  }
  WriteFileAtomically(options.output, json);
}

}  // namespace

void AddTrainTokenizerCommand(CLI::App& program) {
  auto options = std::make_shared<Options>();
  BpeTraining& training = options->training;
  CLI::App* command =
      program.add_subcommand("train-tokenizer", "Learn a byte-level BPE tokenizer from text");
  command
      ->add_option("--input", options->inputs,
                   "text files, or JSON Lines (*.jsonl) with a column \"text\"")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--vocab-size", training.vocab_size, "tokens in all")->required();
  command->add_option("--output", options->output, "the tokenizer.json to write")->required();
  command->add_option("--special-token", training.special_tokens,
                      "a token that stands for itself and takes the next id; again for more");
  command
      ->add_option("--min-frequency", training.min_frequency,
                   "how often a pair must occur to be merged")
      ->capture_default_str();
  const std::map<std::string, TrainedPattern> patterns = {{"gpt2", TrainedPattern::kGpt2},
                                                          {"qwen2", TrainedPattern::kQwen2},
                                                          {"llama3", TrainedPattern::kLlama3}};
  command->add_option("--pattern", training.pattern, "how words are cut: gpt2, qwen2 or llama3")
      ->transform(CLI::CheckedTransformer(patterns))
      ->default_str("gpt2");
  command->callback([options] { TrainTokenizer(*options); });
}

}  // namespace hone
