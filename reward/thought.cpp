#include "reward/thought.h"

namespace hone {

std::optional<std::string_view> AfterThought(std::string_view completion, bool think_in_prompt) {
  constexpr std::string_view open = "<think>", close = "</think>";
  const size_t end = completion.rfind(close);
  if (end == std::string_view::npos && think_in_prompt) return std::nullopt;
  const std::string_view rest =
      end == std::string_view::npos ? completion : completion.substr(end + close.size());
  if (rest.find(open) != std::string_view::npos) return std::nullopt;
  return rest;
}

}  // namespace hone
