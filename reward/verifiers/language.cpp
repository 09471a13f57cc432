// The share of letters that are of the wanted language's script, from 0 to 1: against the mixing of
// languages that DeepSeek-R1 (arXiv:2501.12948, section 2.3.2) saw. Letters are what Unicode counts
// as such; digits, marks, spaces and tags (<think>) are none, and neither are LaTeX commands, so
// that mathematics does not count as English. A completion without letters gets 0. Languages that
// share a script are not told apart: "en" asks for Latin letters. Options: language = "en" (or zh,
// ja, ko, ru, ar, el, he, hi, th), part = "all" (or "thought").
#include <utf8proc.h>

#include <array>

#include "reward/options.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

struct Range {
  int32_t low, high;
};

// Unicode blocks of each script (Unicode 15, Blocks.txt).
constexpr auto kLatin = std::to_array<Range>(
    {{0x41, 0x24f}, {0x1e00, 0x1eff}, {0x2c60, 0x2c7f}, {0xa720, 0xa7ff}, {0xff21, 0xff5a}});
constexpr auto kHan = std::to_array<Range>(
    {{0x3005, 0x3007}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x323af}});
constexpr auto kJapanese = std::to_array<Range>({{0x3005, 0x3007},
                                                 {0x3040, 0x30ff},
                                                 {0x31f0, 0x31ff},
                                                 {0x3400, 0x4dbf},
                                                 {0x4e00, 0x9fff},
                                                 {0xf900, 0xfaff},
                                                 {0xff66, 0xff9f}});
constexpr auto kHangul =
    std::to_array<Range>({{0x1100, 0x11ff}, {0x3130, 0x318f}, {0xa960, 0xa97f}, {0xac00, 0xd7ff}});
constexpr auto kCyrillic =
    std::to_array<Range>({{0x400, 0x52f}, {0x1c80, 0x1c8f}, {0x2de0, 0x2dff}, {0xa640, 0xa69f}});
constexpr auto kArabic = std::to_array<Range>(
    {{0x600, 0x6ff}, {0x750, 0x77f}, {0x8a0, 0x8ff}, {0xfb50, 0xfdff}, {0xfe70, 0xfeff}});
constexpr auto kGreek = std::to_array<Range>({{0x370, 0x3ff}, {0x1f00, 0x1fff}});
constexpr auto kHebrew = std::to_array<Range>({{0x590, 0x5ff}, {0xfb1d, 0xfb4f}});
constexpr auto kDevanagari = std::to_array<Range>({{0x900, 0x97f}, {0xa8e0, 0xa8ff}});
constexpr auto kThai = std::to_array<Range>({{0xe00, 0xe7f}});

std::span<const Range> ScriptOf(const std::string& language) {
  if (language == "zh") return kHan;
  if (language == "ja") return kJapanese;
  if (language == "ko") return kHangul;
  if (language == "ru") return kCyrillic;
  if (language == "ar") return kArabic;
  if (language == "el") return kGreek;
  if (language == "he") return kHebrew;
  if (language == "hi") return kDevanagari;
  if (language == "th") return kThai;
  return kLatin;
}

bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The length of what is no language at the start of `text`: a tag or a LaTeX command; else 0.
size_t MarkupAt(std::string_view text) {
  size_t end = 1;
  if (text[0] == '\\') {
    while (end < text.size() && IsAsciiLetter(text[end])) ++end;
    return end;
  }
  if (text[0] != '<') return 0;
  if (end < text.size() && text[end] == '/') ++end;
  while (end < text.size() && end < 32 && (IsAsciiLetter(text[end]) || text[end] == '_')) ++end;
  return end < text.size() && text[end] == '>' && end > 1 ? end + 1 : 0;
}

class LanguageVerifier : public Verifier {
 public:
  explicit LanguageVerifier(const Json& options) {
    OptionReader reader(name(), options);
    script_ = ScriptOf(reader.OneOf("language", "en",
                                    {"en", "zh", "ja", "ko", "ru", "ar", "el", "he", "hi", "th"}));
    thought_ = reader.OneOf("part", "all", {"all", "thought"}) == "thought";
    reader.Finish();
  }
  std::string name() const override { return "language"; }
  Verdict Score(const Sample& sample) const override {
    std::string_view text = sample.completion;
    if (thought_) text = text.substr(0, text.rfind("</think>"));
    int64_t letters = 0, wanted = 0;
    while (!text.empty()) {
      if (const size_t markup = MarkupAt(text)) {
        text.remove_prefix(markup);
        continue;
      }
      utf8proc_int32_t point = -1;
      const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                         static_cast<utf8proc_ssize_t>(text.size()), &point);
      text.remove_prefix(size > 0 ? static_cast<size_t>(size) : 1);
      if (size <= 0 || !IsLetter(point)) continue;
      ++letters;
      for (const Range& range : script_) wanted += point >= range.low && point <= range.high;
    }
    if (sample.explanation) {
      *sample.explanation = {{"letters", letters},
                             {"wanted", wanted},
                             {"why", letters == 0 ? "no letters" : "share of letters"}};
    }
    return {.reward = letters == 0 ? 0 : static_cast<double>(wanted) / static_cast<double>(letters),
            .error = {}};
  }

 private:
  static bool IsLetter(int32_t point) {
    const auto category = utf8proc_category(point);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
  }

  std::span<const Range> script_;
  bool thought_;
};

}  // namespace

std::unique_ptr<Verifier> MakeLanguageVerifier(const Json& options) {
  return std::make_unique<LanguageVerifier>(options);
}

}  // namespace hone
