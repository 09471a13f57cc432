// From tokens back to text: tokenizer.json's "decoder".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/split_pattern.h"

namespace hone {

enum class DecoderKind {
  kByteLevel,     // symbols of byte_level.h to bytes, all tokens joined
  kMetaspace,     // `content` becomes " ", or goes in the first token where `drops_first`
  kByteFallback,  // "<0x41>" becomes a byte; a run of them that is not UTF-8, a U+FFFD for each
  kFuse,          // all tokens become one
  kStrip,      // up to `start` characters `content` go at a token's start, up to `stop` at its end
  kReplace,    // `content` for each match
  kWordPiece,  // tokens that begin with `content` lose it, others but the first get a " "
  kBpe,        // `content` becomes " ", or goes in the last token
  kJoin        // a " " between tokens: what stands for no decoder
};

struct DecoderStep {
  DecoderKind kind = DecoderKind::kFuse;
  std::string content;
  std::optional<SplitPattern> pattern;
  size_t start = 0, stop = 0;
  bool drops_first = false;
  bool cleans_up = false;  // kWordPiece: no " " before punctuation and contractions
};

// The text of tokens as they come. What a later token may still change is held back: bytes that do
// not end a character, characters that a step may strip, the whole text where a step needs all of
// it. Not for more than one thread; the steps must stay.
class Decoding {
 public:
  explicit Decoding(const std::vector<DecoderStep>& steps);
  // Appends to `out` what is certain; none of it is ever taken back, and all of it is valid UTF-8.
  void Push(std::string_view token, std::string* out) { Step(0, token, out); }
  // Appends the rest. Nothing may be pushed after it.
  void Finish(std::string* out);

 private:
  // Where a step stands. A step behind one that joins tokens gets one token, in parts.
  struct State {
    bool one_token = false;
    bool waits = false;   // needs the whole of the one token
    bool begun = false;   // has seen a token
    size_t stripped = 0;  // characters at the start, as long as nothing else came
    bool start_done = false;
    std::string held;
  };
  void Step(size_t index, std::string_view token, std::string* out);
  void Whole(size_t index, std::string_view token, std::string* out);
  void StripParts(size_t index, std::string_view part, std::string* out);
  void FlushBytes(size_t index, std::string* out);

  const std::vector<DecoderStep>& steps_;
  std::vector<State> states_;
};

// What a token gives in the middle of a text: raw bytes, perhaps a part of a character. Empty parts
// and ends of texts aside, the text of tokens is these joined.
std::string BytesWithin(const std::vector<DecoderStep>& steps, std::string_view token);

}  // namespace hone
