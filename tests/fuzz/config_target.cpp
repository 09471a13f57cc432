// config.json, which also stands for generation_config.json, and the layout that follows from it.
#include "common/error.h"
#include "memory_file.h"
#include "policy/files/model_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  const MemoryFile input(AsText(data, size));
  try {
    const ModelConfig config = ParseModelConfig(ReadJson(input.path()), input.path());
    MakeLayout(config);
    ReadGenerationConfig(input.path(), input.path(), config);
  } catch (const Error&) {
  }
  return 0;
}
