#include <fmt/format.h>

#include "reward/answer.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

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

struct Tag {
  std::string open, close;
};

bool IsWellFormed(std::string_view text, const std::vector<Tag>& tags, bool first_in_prompt) {
  for (size_t i = 0; i < tags.size(); ++i) {
    const bool in_prompt = first_in_prompt && i == 0;
    if (in_prompt ? text.find(tags[i].open) != std::string_view::npos
                  : !OccursOnce(tags[i].open, text))
      return false;
    if (!OccursOnce(tags[i].close, text)) return false;
  }
  std::string_view rest = Trim(text);
  for (size_t i = 0; i < tags.size(); ++i) {
    if (!(first_in_prompt && i == 0)) {
      if (!rest.starts_with(tags[i].open)) return false;
      rest.remove_prefix(tags[i].open.size());
    }
    if (!TakeThrough(tags[i].close, &rest)) return false;
    rest = Trim(rest);
  }
  return rest.empty();
}

class FormatVerifier : public Verifier {
 public:
  explicit FormatVerifier(const Json& options) {
    OptionReader reader(name(), options);
    for (const auto& tag : reader.Words("tags", {"think", "answer"})) {
      tags_.push_back({"<" + tag + ">", "</" + tag + ">"});
    }
    think_in_prompt_ = reader.Bool("think_in_prompt", false);
    reader.Finish();
  }
  std::string name() const override { return "format"; }
  std::optional<std::string> InForm(std::string_view answer) const override {
    std::string text;
    for (size_t i = 0; i < tags_.size(); ++i) {
      const auto& [open, close] = tags_[i];
      const bool last = i + 1 == tags_.size();
      const bool tagged = last && answer.starts_with(open) && answer.ends_with(close);
      if (i > 0) text += '\n';
      if (tagged) {
        text += answer;
      } else {
        text += fmt::format("{}\n{}\n{}", i == 0 && think_in_prompt_ ? "" : open,
                            last ? answer : "Step by step.", close);
      }
    }
    return text;
  }
  Verdict Score(const Sample& sample) const override {
    const bool well = IsWellFormed(sample.completion, tags_, think_in_prompt_);
    if (sample.explanation) {
      *sample.explanation = {
          {"why", well ? "well formed"
                       : "a tag is missing, repeated or out of place, or text stands outside"}};
    }
    return {.reward = well ? 1.0 : 0.0, .error = {}};
  }

 private:
  std::vector<Tag> tags_;
  bool think_in_prompt_;
};

}  // namespace

std::unique_ptr<Verifier> MakeFormatVerifier(const Json& options) {
  return std::make_unique<FormatVerifier>(options);
}

}  // namespace hone
