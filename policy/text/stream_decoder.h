// The text of tokens as a model draws them, in pieces that can be shown at once: never a part of a
// character, and nothing that a later token would change.
#pragma once

#include <memory>
#include <string>

#include "policy/text/decoder.h"
#include "policy/text/tokenizer.h"

namespace hone {

// The pieces of all calls joined are Decode of all tokens. For one thread.
class StreamDecoder {
 public:
  StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special);
  // What is certain by now; often empty. Throws UsageError for a negative id.
  std::string Push(int32_t token);
  // The rest. Nothing may be pushed after it.
  std::string Finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool skip_special_;
  Decoding decoding_;
};

}  // namespace hone
