// A tokenizer.json: read, then asked to encode and decode.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "policy/text/stream_decoder.h"
#include "policy/text/tokenizer.h"

namespace hone {
namespace {

void Use(std::shared_ptr<const Tokenizer> tokenizer, std::string_view file) {
  const std::string texts[] = {"Hello, the 123 worlds!\n\n  don't", std::string(300, 'a'),
                               "\u00e9e\u0301 \u65e5\u672c \U0001f642\xFF\t",
                               std::string(file.substr(0, 500))};
  for (const std::string& text : texts) {
    const std::vector<int32_t> ids = tokenizer->Encode(text);
    tokenizer->Decode(ids, /*skip_special=*/true);
    StreamDecoder stream(tokenizer, /*skip_special=*/false);
    std::string joined;
    for (const int32_t id : ids) joined += stream.Push(id);
    joined += stream.Finish();
    if (joined != tokenizer->Decode(ids)) __builtin_trap();
  }
}

}  // namespace
}  // namespace hone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  try {
    hone::Use(hone::Tokenizer::Parse(file, "fuzzed"), file);
  } catch (const hone::Error&) {  // how a bad file, or a text it cannot take, is refused
  }
  return 0;
}
