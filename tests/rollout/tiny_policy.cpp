#include "tiny_policy.h"

#include <unistd.h>

#include <map>

#include "common/file.h"
#include "common/json.h"

namespace hone {
namespace {

// GPT-2's table: printable bytes stand for themselves, the others for characters from U+0100 on.
std::map<int, std::string> ByteCharacters() {
  std::map<int, std::string> characters;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool itself =
        (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const int point = itself ? byte : next++;
    std::string utf8;
    if (point < 0x80) {
      utf8 += static_cast<char>(point);
    } else {
      utf8 += static_cast<char>(0xC0 | point >> 6);
      utf8 += static_cast<char>(0x80 | (point & 0x3F));
    }
    characters[byte] = utf8;
  }
  return characters;
}

struct RemovedAtExit {
  std::filesystem::path path;
  ~RemovedAtExit() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

ModelConfig TinyConfig() {
  ModelConfig config;
  config.architecture = "LlamaForCausalLM";
  config.vocab_size = 272;  // padded beyond the tokenizer's
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_layers = 2;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 8;
  config.max_position_embeddings = 160;
  config.initializer_range = 0.3;
  return config;
}

std::unique_ptr<Backend> TinyBackend(int threads, uint64_t seed, const ModelConfig& config) {
  BackendOptions options;
  options.threads = threads;
  auto backend = MakeBackend(options, config);
  backend->SetWeights(
      MakeWeights(backend->layout(), InitWeights(config, backend->layout(), seed), seed));
  return backend;
}

std::filesystem::path TestFolder() {
  static const RemovedAtExit folder{std::filesystem::temp_directory_path() /
                                    ("hone_test_rollout_" + std::to_string(::getpid()))};
  std::filesystem::create_directories(folder.path);
  return folder.path;
}

std::shared_ptr<const Tokenizer> TinyTokenizer() {
  Json vocab = Json::object(), merges = Json::array();
  for (const auto& [byte, character] : ByteCharacters()) vocab[character] = byte;
  int next = 256;
  for (const std::string pair : {"th", "he", "in", "an", "er"}) {
    merges.push_back(pair.substr(0, 1) + " " + pair.substr(1));
    vocab[pair] = next++;
  }
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  const Json eos = {{"id", next},      {"content", "<eos>"}, {"single_word", false},
                    {"lstrip", false}, {"rstrip", false},    {"normalized", false},
                    {"special", true}};
  const Json tokenizer = {{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", {eos}},
                          {"normalizer", nullptr},
                          {"pre_tokenizer", byte_level},
                          {"post_processor", nullptr},
                          {"decoder", byte_level},
                          {"model",
                           {{"type", "BPE"},
                            {"dropout", nullptr},
                            {"unk_token", nullptr},
                            {"continuing_subword_prefix", nullptr},
                            {"end_of_word_suffix", nullptr},
                            {"fuse_unk", false},
                            {"byte_fallback", false},
                            {"vocab", vocab},
                            {"merges", merges}}}};
  const auto path = TestFolder() / "tokenizer.json";
  WriteFileAtomically(path, tokenizer.dump());
  return Tokenizer::Load(path);
}

}  // namespace hone
