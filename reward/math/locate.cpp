#include "reward/math/locate.h"

#include <algorithm>
#include <array>

#include "reward/answer.h"

namespace hone::math {
namespace {

constexpr size_t kMaxPhrase = 4096;  // bytes that are looked at behind "the answer is"

struct Box {
  std::string_view inside;
  size_t begin, end;  // of the whole box in the text
};

char LowerOf(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool StartsWithWord(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (size_t i = 0; i < lower.size(); ++i) {
    if (LowerOf(text[i]) != lower[i]) return false;
  }
  return true;
}

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Whether one of `phrases` (lower case) stands in the text between word bounds.
template <size_t N>
bool Holds(std::string_view text, const std::array<std::string_view, N>& phrases) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (i > 0 && IsWordByte(text[i - 1])) continue;
    for (const auto phrase : phrases) {
      if (LowerOf(text[i]) == phrase[0] && StartsWithWord(text.substr(i), phrase) &&
          (i + phrase.size() == text.size() || !IsWordByte(text[i + phrase.size()]))) {
        return true;
      }
    }
  }
  return false;
}

constexpr auto kDenials = std::to_array<std::string_view>({"not the answer",
                                                           "not the correct",
                                                           "not correct",
                                                           "not right",
                                                           "is wrong",
                                                           "was wrong",
                                                           "is incorrect",
                                                           "was incorrect",
                                                           "incorrect",
                                                           "isn't correct",
                                                           "isn't right",
                                                           "is not the",
                                                           "isn't the answer",
                                                           "scratch that",
                                                           "disregard",
                                                           "ignore that",
                                                           "ignore the above",
                                                           "never mind",
                                                           "i made a mistake",
                                                           "made an error",
                                                           "that is false",
                                                           "on second thought",
                                                           "i take it back",
                                                           "wait,",
                                                           "wait",
                                                           "actually, it",
                                                           "actually, the answer",
                                                           "actually no",
                                                           "or maybe",
                                                           "or perhaps",
                                                           "or possibly",
                                                           "just kidding",
                                                           "just a guess",
                                                           "not sure"});
constexpr auto kNegations = std::to_array<std::string_view>(
    {"not", "isn't", "isnt", "never", "cannot be", "can't be", "no"});

std::vector<Box> FindBoxes(std::string_view text) {
  std::vector<Box> boxes;
  size_t at = 0;
  // One box more than is read says that there are too many; what does not close is scanned once a
  // box.
  while (boxes.size() <= kMaxBoxes && (at = text.find("box", at)) != std::string_view::npos) {
    const size_t word = at;
    at += 3;
    size_t begin = 0, open = 0;
    if (word >= 1 && text[word - 1] == '\\' && text.substr(word).starts_with("boxed")) {
      begin = word - 1;
      open = word + 5;
    } else if (word >= 2 && text.substr(word - 2, 5) == "\\fbox") {
      begin = word - 2;
      open = word + 3;
    } else {
      continue;
    }
    while (open < text.size() && text[open] == ' ') ++open;
    if (open >= text.size()) break;
    if (text[open] != '{') {
      size_t end = open;
      while (end < text.size() && (IsWordByte(text[end]) || text[end] == '.' || text[end] == '-'))
        ++end;
      if (end > open) boxes.push_back({text.substr(open, end - open), begin, end});
      continue;
    }
    int depth = 0;
    size_t end = open;
    for (; end < text.size(); ++end) {
      if (text[end] == '\\') {
        ++end;  // an escaped brace
      } else if (text[end] == '{') {
        ++depth;
      } else if (text[end] == '}' && --depth == 0) {
        break;
      }
    }
    const bool closed = end < text.size();
    if (!closed) {
      const size_t line = text.find('\n', open);
      end = line == std::string_view::npos ? text.size() : line;
    }
    boxes.push_back({Trim(text.substr(open + 1, end - open - 1)), begin, closed ? end + 1 : end});
    at = std::max(at, boxes.back().end);  // a box in a box is part of the outer one
  }
  return boxes;
}

// What stands behind the last "the answer is" (or "answer:"), up to the end of its sentence.
std::vector<std::string_view> Phrases(std::string_view text) {
  std::vector<std::string_view> found;
  for (size_t i = 0; i + 6 <= text.size() && found.size() < kMaxBoxes; ++i) {
    if (LowerOf(text[i]) != 'a' || !StartsWithWord(text.substr(i), "answer")) continue;
    if (i > 0 && (IsWordByte(text[i - 1]) || text[i - 1] == '<' || text[i - 1] == '/')) continue;
    std::string_view rest = text.substr(i + 6);
    const size_t mark = rest.find_first_not_of(" *_");
    if (mark == std::string_view::npos) continue;
    rest.remove_prefix(mark);
    if (rest[0] == ':' || rest[0] == '=') {
      rest.remove_prefix(1);
    } else if (StartsWithWord(rest, "is") && rest.size() > 2 && !IsWordByte(rest[2])) {
      rest.remove_prefix(2);
      if (rest[0] == ':') rest.remove_prefix(1);
    } else {
      continue;
    }
    rest = rest.substr(0, kMaxPhrase);
    rest = rest.substr(0, rest.find('\n'));
    // The end of a sentence: a point with a space or nothing behind it.
    for (size_t point = rest.find('.'); point != std::string_view::npos;
         point = rest.find('.', point + 1)) {
      if (point + 1 == rest.size() || rest[point + 1] == ' ' || rest[point + 1] == '*') {
        rest = rest.substr(0, point);
        break;
      }
    }
    // "Final answer: the answer is 5": the inner one says it. Only its start is looked at, so that
    // a text of nothing but answers costs no square.
    const std::string_view start = rest.substr(0, 64);
    bool nested = false;
    for (size_t j = 0; j + 6 <= start.size() && !nested; ++j) {
      nested = StartsWithWord(start.substr(j), "answer");
    }
    if (nested) continue;
    const size_t begin = rest.find_first_not_of(" *_:\t"), end = rest.find_last_not_of(" *_\t\r");
    if (begin != std::string_view::npos && end >= begin)
      found.push_back(rest.substr(begin, end - begin + 1));
  }
  return found;
}

// The words right in front of a place: "is not \boxed{5}".
bool NegatedBefore(std::string_view text, size_t at) {
  std::string_view before = text.substr(0, at);
  while (!before.empty() && !IsWordByte(before.back())) {
    if (before.back() == '\n' || before.back() == '.') return false;
    before.remove_suffix(1);
  }
  const size_t begin = before.size() > 12 ? before.size() - 12 : 0;
  std::string_view tail = before.substr(begin);
  const size_t space = tail.rfind(' ');
  const std::string_view word = space == std::string_view::npos ? tail : tail.substr(space + 1);
  return std::any_of(kNegations.begin(), kNegations.end(), [&](std::string_view negation) {
    return (word.size() == negation.size() && StartsWithWord(word, negation)) ||
           (negation.find(' ') != std::string_view::npos && tail.size() >= negation.size() &&
            StartsWithWord(tail.substr(tail.size() - negation.size()), negation));
  });
}

}  // namespace

std::vector<std::string_view> Boxes(std::string_view text) {
  std::vector<std::string_view> out;
  for (const Box& box : FindBoxes(text)) out.push_back(box.inside);
  return out;
}

Located Locate(std::string_view visible) {
  Located located;
  const std::vector<Box> boxes = FindBoxes(visible);
  const auto tagged = ExtractAnswer(visible, Extract::kAnswer);
  const std::vector<std::string_view> phrases = Phrases(visible);
  // Words of denial count behind the first place that gives the answer.
  size_t from = visible.size();
  if (!boxes.empty()) {
    located.where = "boxed";
    if (boxes.size() > kMaxBoxes) located.denied = "it boxes more answers than are read";
    for (const Box& box : boxes) {
      if (located.answers.size() < kMaxBoxes) located.answers.push_back(box.inside);
      if (NegatedBefore(visible, box.begin)) located.denied = "it denies what it boxes";
    }
    located.together = true;
    for (size_t i = 1; i < boxes.size(); ++i) {
      located.together &= boxes[i].begin - boxes[i - 1].end <= 40;
    }
    from = boxes.back().end;
    if (tagged && tagged->find("boxed") == std::string_view::npos)
      located.others.push_back(*tagged);
  } else if (tagged) {
    located.where = "answer tag";
    located.answers.push_back(*tagged);
    from = static_cast<size_t>(tagged->data() - visible.data()) + tagged->size();
    // Every tag gives an answer; two that differ are none.
    std::string_view rest = visible;
    while (located.others.size() < kMaxBoxes) {
      const size_t end = rest.find("</answer>");
      if (end == std::string_view::npos) break;
      if (const auto other = ExtractAnswer(rest.substr(0, end + 9), Extract::kAnswer))
        located.others.push_back(*other);
      rest.remove_prefix(end + 9);
    }
  } else if (!phrases.empty()) {
    located.where = "phrase";
    located.answers.push_back(phrases.back());
    from = static_cast<size_t>(phrases.back().data() - visible.data()) + phrases.back().size();
  }
  if (located.answers.empty()) return located;
  if (phrases.size() == kMaxBoxes)
    located.denied = "it says more often what the answer is than is read";
  if (Holds(visible.substr(std::min(from, visible.size())), kDenials))
    located.denied = "it takes its answer back";
  for (const auto phrase : phrases) {
    if (StartsWithWord(phrase, "not ") || StartsWithWord(phrase, "never ")) {
      located.denied = "it says what the answer is not";
    } else if (phrase.find("boxed") == std::string_view::npos &&
               phrase.find('<') == std::string_view::npos && phrase.size() <= 60) {
      located.others.push_back(phrase);
    }
  }
  return located;
}

}  // namespace hone::math
