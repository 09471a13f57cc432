#include "policy/text/decoder.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "policy/text/byte_level.h"
#include "policy/text/utf8.h"

namespace hone {
namespace {

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  if (from.empty()) {  // as Rust has it: before each character and at the end
    std::string replaced(to);
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      NextCodePoint(text, &at);
      replaced.append(text.substr(begin, at - begin)).append(to);
    }
    return replaced;
  }
  std::string replaced;
  size_t done = 0;
  for (size_t at; (at = text.find(from, done)) != std::string_view::npos; done = at + from.size()) {
    replaced.append(text.substr(done, at - done)).append(to);
  }
  return replaced.append(text.substr(done));
}

// Source: Hugging Face tokenizers, its WordPiece decoder.
std::string CleanUp(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) text = ReplaceAll(text, from, to);
  return text;
}

std::string ReplaceMatches(const DecoderStep& step, std::string_view text) {
  std::string replaced;
  size_t done = 0;
  for (const auto& [begin, end] : step.pattern->FindMatches(text)) {
    replaced.append(text.substr(done, begin - done)).append(step.content);
    done = end;
  }
  return replaced.append(text.substr(done));
}

// The byte of "<0x41>", or -1. Hugging Face takes a sign for a digit too: "<0x+4>" is 4.
int FallbackByte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  const int high = token[3] == '+' ? 0 : digit(token[3]), low = digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string StripToken(const DecoderStep& step, std::string_view token) {
  const std::string_view content = step.content;
  for (size_t i = 0; i < step.start && token.starts_with(content); ++i) {
    token.remove_prefix(content.size());
  }
  for (size_t i = 0; i < step.stop && token.ends_with(content); ++i) {
    token.remove_suffix(content.size());
  }
  return std::string(token);
}

std::string WordPieceText(const DecoderStep& step, std::string_view token, bool first) {
  std::string text(token);
  if (!first) {
    text = token.starts_with(step.content) ? text.substr(step.content.size()) : " " + text;
  }
  return step.cleans_up ? CleanUp(std::move(text)) : text;
}

bool Joins(DecoderKind kind) {
  return kind == DecoderKind::kByteLevel || kind == DecoderKind::kFuse;
}

// Steps that need no more of one token than the part at hand.
bool TakesParts(DecoderKind kind) {
  return kind == DecoderKind::kFuse || kind == DecoderKind::kStrip ||
         kind == DecoderKind::kMetaspace || kind == DecoderKind::kJoin;
}

}  // namespace

Decoding::Decoding(const std::vector<DecoderStep>& steps) : steps_(steps), states_(steps.size()) {
  bool joined = false;
  for (size_t i = 0; i < steps.size(); ++i) {
    states_[i].one_token = joined;
    states_[i].waits = joined && !TakesParts(steps[i].kind);
    joined |= Joins(steps[i].kind);
  }
}

void Decoding::Step(size_t index, std::string_view token, std::string* out) {
  if (index == steps_.size()) {
    out->append(token);
  } else if (states_[index].waits) {
    states_[index].held += token;
  } else if (states_[index].one_token && steps_[index].kind == DecoderKind::kStrip) {
    StripParts(index, token, out);
  } else {
    Whole(index, token, out);
  }
}

void Decoding::Whole(size_t index, std::string_view token, std::string* out) {
  const DecoderStep& step = steps_[index];
  State& state = states_[index];
  const bool first = state.one_token || !std::exchange(state.begun, true);
  const auto emit = [&](std::string_view text) { Step(index + 1, text, out); };
  switch (step.kind) {
    case DecoderKind::kByteLevel: {
      state.held += BytesOfToken(token);
      const size_t whole = state.held.size() - UnfinishedTail(state.held);
      emit(ReplaceInvalidUtf8(std::string_view(state.held).substr(0, whole)));
      state.held.erase(0, whole);
      return;
    }
    case DecoderKind::kMetaspace:
      return emit(ReplaceAll(token, step.content, first && step.drops_first ? "" : " "));
    case DecoderKind::kByteFallback:
      if (const int byte = FallbackByte(token); byte >= 0) {
        state.held += static_cast<char>(byte);
        return;
      }
      FlushBytes(index, out);
      return emit(token);
    case DecoderKind::kFuse:
      return emit(token);
    case DecoderKind::kStrip:
      return emit(StripToken(step, token));
    case DecoderKind::kReplace:
      return emit(ReplaceMatches(step, token));
    case DecoderKind::kWordPiece:
      return emit(WordPieceText(step, token, first));
    case DecoderKind::kBpe:
      if (!first) emit(ReplaceAll(state.held, step.content, " "));
      state.held = token;
      return;
    case DecoderKind::kJoin:
      return emit(first ? std::string(token) : " " + std::string(token));
  }
}

void Decoding::StripParts(size_t index, std::string_view part, std::string* out) {
  const DecoderStep& step = steps_[index];
  State& state = states_[index];
  while (!state.start_done && !part.empty()) {
    if (state.stripped < step.start && part.starts_with(step.content)) {
      part.remove_prefix(step.content.size());
      ++state.stripped;
    } else {
      state.start_done = true;
    }
  }
  state.held += part;
  std::string_view rest = state.held;
  for (size_t i = 0; i < step.stop && rest.ends_with(step.content); ++i) {
    rest.remove_suffix(step.content.size());
  }
  const size_t certain = rest.size();
  if (certain > 0) Step(index + 1, rest, out);
  state.held.erase(0, certain);
}

void Decoding::FlushBytes(size_t index, std::string* out) {
  const std::string bytes = std::exchange(states_[index].held, "");
  if (bytes.empty()) return;
  if (ReplaceInvalidUtf8(bytes) == bytes) return Step(index + 1, bytes, out);
  for (size_t i = 0; i < bytes.size(); ++i) Step(index + 1, "\uFFFD", out);
}

void Decoding::Finish(std::string* out) {
  for (size_t i = 0; i < steps_.size(); ++i) {
    State& state = states_[i];
    if (std::exchange(state.waits, false)) Whole(i, std::exchange(state.held, ""), out);
    if (steps_[i].kind == DecoderKind::kByteLevel && !state.held.empty()) {
      Step(i + 1, ReplaceInvalidUtf8(state.held), out);
    } else if (steps_[i].kind == DecoderKind::kByteFallback) {
      FlushBytes(i, out);
    } else if (steps_[i].kind == DecoderKind::kBpe) {
      Step(i + 1, ReplaceAll(state.held, steps_[i].content, ""), out);
    }
    state.held.clear();
  }
}

std::string BytesWithin(const std::vector<DecoderStep>& steps, std::string_view token) {
  std::string text(token);
  for (const DecoderStep& step : steps) {
    switch (step.kind) {
      case DecoderKind::kByteLevel:
        return BytesOfToken(text);
      case DecoderKind::kMetaspace:
      case DecoderKind::kBpe:
        text = ReplaceAll(text, step.content, " ");
        break;
      case DecoderKind::kByteFallback:
        if (const int byte = FallbackByte(text); byte >= 0) {
          return std::string(1, static_cast<char>(byte));
        }
        break;
      case DecoderKind::kFuse:
        return text;  // what comes after acts on the text as a whole
      case DecoderKind::kStrip:
        text = StripToken(step, text);
        break;
      case DecoderKind::kReplace:
        text = ReplaceMatches(step, text);
        break;
      case DecoderKind::kWordPiece:
        text = WordPieceText(step, text, /*first=*/false);
        break;
      case DecoderKind::kJoin:
        text.insert(0, 1, ' ');
        break;
    }
  }
  return text;
}

}  // namespace hone
