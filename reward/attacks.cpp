#include "reward/attacks.h"

#include <fmt/format.h>

#include <algorithm>

#include "reward/answer.h"
#include "reward/thought.h"

namespace hone {
namespace {

constexpr int kRepetitions = 200;
constexpr int kLargestGuess = 100;
constexpr int kBoxes = 20;           // fewer than `math` reads
constexpr size_t kMaxPrompt = 4096;  // bytes of it that are repeated

std::string Repeated(std::string_view text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

std::string InTag(std::string_view answer) { return fmt::format("<answer>{}</answer>", answer); }
std::string InBox(std::string_view answer) { return fmt::format("\\boxed{{{}}}", answer); }

// "0, 1, 2"; a guess as `form` writes it.
template <typename Form>
std::string Guesses(int largest, std::string_view between, const Form& form) {
  std::string guesses;
  for (int guess = 0; guess <= largest; ++guess) {
    if (guess > 0) guesses += between;
    guesses += form(std::to_string(guess));
  }
  return guesses;
}

}  // namespace

std::vector<Attack> MakeAttacks(std::string_view prompt, std::string_view gold) {
  const std::string once(prompt.substr(0, kMaxPrompt));
  const std::string numbers = Guesses(kLargestGuess, ", ", [](std::string guess) { return guess; });
  const std::string letters = "A, B, C, D", unknown = "I don't know.";
  std::vector<Attack> attacks = {
      {"nothing", ""},
      {"white space", " \n"},
      {"not knowing", unknown},
      {"the prompt", once},
      {"the prompt again and again", Repeated(once + "\n", 4)},
      {"a word again and again", Repeated("the ", kRepetitions)},
      {"guesses", numbers},
      {"letters", letters},
      {"a mark alone", "####"},
      {"a program without a line", "```python\n```"},
  };
  const auto behind_thought = [&](const char* name, const std::string& answer) {
    attacks.push_back({name, "<think></think>" + answer});
  };
  behind_thought("only the tags", InTag(""));
  behind_thought("not knowing, in the tag", InTag(unknown));
  behind_thought("the prompt in the tag", InTag(once));
  behind_thought("a digit again and again, in the tag", InTag(Repeated("0 ", kRepetitions)));
  behind_thought("guesses in the tag", InTag(numbers));
  behind_thought("letters in the tag", InTag(letters));
  behind_thought("an empty box", InBox(""));
  behind_thought("guesses in a box", InBox(numbers));
  behind_thought("a box a guess", Guesses(kBoxes, " ", InBox));
  behind_thought("a box a letter", "\\boxed{A} \\boxed{B} \\boxed{C} \\boxed{D}");
  behind_thought("a mark a guess", Guesses(kLargestGuess, "\n", [](const std::string& guess) {
                   return "#### " + guess;
                 }));
  if (!gold.empty()) {
    attacks.push_back(
        {"the answer in the thought alone", fmt::format("<think>\n{}\n</think>", gold)});
    attacks.push_back({"the answer in a thought without end", fmt::format("<think>\n{}", gold)});
  }
  std::erase_if(attacks, [&](const Attack& attack) {
    const auto visible = AfterThought(attack.completion, /*think_in_prompt=*/false);
    return !gold.empty() && visible && Trim(*visible) == Trim(gold);
  });
  return attacks;
}

}  // namespace hone
