// A whole GGUF file, and the weights of a small model from it.
#include "common/error.h"
#include "memory_file.h"
#include "policy/files/gguf_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  static const ModelConfig config = [] {
    ModelConfig small;
    small.architecture = "LlamaForCausalLM";
    small.vocab_size = 8;
    small.hidden_size = small.intermediate_size = small.head_dim = 4;
    small.num_layers = small.num_heads = small.num_kv_heads = 1;
    small.max_position_embeddings = 16;
    small.tie_word_embeddings = true;
    return small;
  }();
  static const WeightsLayout layout = MakeLayout(config);
  const MemoryFile input(AsText(data, size));
  try {
    const GgufFile file(input.path());
    ReadGgufWeights(file, config, layout);
  } catch (const Error&) {
  }
  return 0;
}
