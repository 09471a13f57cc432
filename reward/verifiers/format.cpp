#include "reward/answer.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";
constexpr std::string_view kAnswer = "<answer>", kAnswerEnd = "</answer>";

// Takes `text` up to and including `tag`; false when it is not there.
bool TakeThrough(std::string_view tag, std::string_view* text) {
  const size_t at = text->find(tag);
  if (at == std::string_view::npos) return false;
  text->remove_prefix(at + tag.size());
  return true;
}

bool OccursOnce(std::string_view tag, std::string_view text) {
  return TakeThrough(tag, &text) && text.find(tag) == std::string_view::npos;
}

bool IsWellFormed(std::string_view text, bool think_in_prompt) {
  if (think_in_prompt) {
    if (text.find(kThink) != std::string_view::npos) return false;
  } else if (!OccursOnce(kThink, text)) {
    return false;
  }
  for (const auto tag : {kThinkEnd, kAnswer, kAnswerEnd}) {
    if (!OccursOnce(tag, text)) return false;
  }
  std::string_view rest = Trim(text);
  if (!think_in_prompt) {
    if (!rest.starts_with(kThink)) return false;
    rest.remove_prefix(kThink.size());
  }
  if (!TakeThrough(kThinkEnd, &rest)) return false;
  rest = Trim(rest);
  // Each tag is there once, so the one at the end is the one that closes.
  return rest.starts_with(kAnswer) && rest.ends_with(kAnswerEnd);
}

class FormatVerifier : public Verifier {
 public:
  explicit FormatVerifier(const Json& options) {
    OptionReader reader(name(), options);
    think_in_prompt_ = reader.Bool("think_in_prompt", false);
    reader.Finish();
  }
  std::string name() const override { return "format"; }
  Verdict Score(const Sample& sample) const override {
    return {.reward = IsWellFormed(sample.completion, think_in_prompt_) ? 1.0 : 0.0, .error = {}};
  }

 private:
  bool think_in_prompt_;
};

}  // namespace

std::unique_ptr<Verifier> MakeFormatVerifier(const Json& options) {
  return std::make_unique<FormatVerifier>(options);
}

}  // namespace hone
