// What a policy may write instead of an answer, in the hope that a verifier takes it for one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone {

struct Attack {
  std::string name;
  std::string completion;
};

// Nothing, tags and boxes without content, repetition, lists of guesses, the prompt, not knowing.
// With `gold`, a right answer as it stands behind a thought (empty: not known), also the answer in
// the thought alone; what happens to be the answer is left out.
std::vector<Attack> MakeAttacks(std::string_view prompt, std::string_view gold);

}  // namespace hone
