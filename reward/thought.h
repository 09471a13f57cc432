// What of a completion stands behind the thought. What is only thought answers nothing.
#pragma once

#include <optional>
#include <string_view>

namespace hone {

// What follows the last </think>; the whole completion when it has neither tag. Nothing when a
// thought is still open at the end: a <think> behind the last </think>, or, with
// `think_in_prompt` (the prompt ended with <think>), no </think> at all.
std::optional<std::string_view> AfterThought(std::string_view completion, bool think_in_prompt);

}  // namespace hone
