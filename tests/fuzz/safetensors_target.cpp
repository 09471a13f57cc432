// A whole safetensors file.
#include "common/error.h"
#include "memory_file.h"
#include "policy/files/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  const MemoryFile input(AsText(data, size));
  try {
    const SafetensorsFile file(input.path());
    for (const auto& [name, entry] : file.entries()) {
      const auto type = ParseFloatType(entry.dtype);
      if (!type) continue;
      std::vector<float> values(entry.bytes.size() / FloatTypeBytes(*type));
      ReadFloats(file, name, values);
    }
  } catch (const Error&) {
  }
  return 0;
}
