#include "policy/text/stream_decoder.h"

#include <fmt/format.h>

#include "common/error.h"

namespace hone {

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special)
    : tokenizer_(std::move(tokenizer)),
      skip_special_(skip_special),
      decoding_(tokenizer_->decoder()) {}

std::string StreamDecoder::Push(int32_t token) {
  if (token < 0) throw UsageError(fmt::format("the token id {} is negative", token));
  std::string text;
  const auto symbols = tokenizer_->Symbols(token);
  if (symbols && !(skip_special_ && tokenizer_->IsSpecial(token))) decoding_.Push(*symbols, &text);
  return text;
}

std::string StreamDecoder::Finish() {
  std::string text;
  decoding_.Finish(&text);
  return text;
}

}  // namespace hone
