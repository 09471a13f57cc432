// What a GGUF file's metadata is made of: tokenizer.json, and after a NUL tokenizer_config.json.
#include "common/error.h"
#include "memory_file.h"
#include "policy/files/gguf_model.h"
#include "policy/files/gguf_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  const std::string_view text = AsText(data, size);
  const size_t nul = std::min(text.find('\0'), text.size());
  const MemoryFile input(text.substr(0, nul));
  try {
    ModelFolder model;
    model.config.vocab_size = 512;
    model.tokenizer = Tokenizer::Load(input.path());
    CheckVocabulary(*model.tokenizer, input.path(), model.config);
    model.generation.eos_token_ids = {1};
    model.companions = {
        {"tokenizer.json", std::string(text.substr(0, nul))},
        {"tokenizer_config.json", std::string(text.substr(std::min(nul + 1, text.size())))}};
    GgufMetadata metadata;
    AddGgufTokenizer(model, &metadata);
    const MemoryFile output("");
    WriteGguf(output.path(), metadata, {});
    if (GgufFile(output.path()).metadata() != metadata) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
