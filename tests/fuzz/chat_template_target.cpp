// Whatever a chat template says, parsing and rendering it end, in a text or an error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/error.h"
#include "policy/text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const hone::OrderedJson messages = hone::OrderedJson::parse(
      R"([{"role": "system", "content": "be brief"}, {"role": "user", "content": [{"type": "text",)"
      R"( "text": " é "}]}, {"role": "assistant", "content": "a", "tool_calls": [{"id": "call00001",)"
      R"( "function": {"name": "f", "arguments": {"x": [1, 2.5, null, true]}}}]}])");
  hone::ChatOptions options;
  options.tools = hone::OrderedJson::parse(R"([{"function": {"name": "f", "parameters": {}}}])");
  options.date = hone::ChatDate{2026, 7, 31};
  try {
    const std::string_view source(reinterpret_cast<const char*>(data), size);
    hone::ChatTemplate::Parse(source, "fuzz", {{"bos_token", "<s>"}})->Render(messages, options);
  } catch (const hone::Error&) {
  }
  return 0;
}
