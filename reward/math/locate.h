// Where the answer of a solution is, and whether the solution stands by it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::math {

struct Located {
  // The contents of the boxes, of the last <answer>, or behind the last "the answer is", in order
  // of the text and at most kMaxBoxes; empty: there is no answer.
  std::vector<std::string_view> answers;
  // Another place that gives an answer too, which must be the same one; empty: none.
  std::vector<std::string_view> others;
  const char* where = "nowhere";  // "boxed", "answer tag", "phrase"
  const char* denied = nullptr;   // why the solution does not stand by its answer; null: it does
  bool together = false;          // the boxes stand close by each other, as parts of one answer
};

inline constexpr size_t kMaxBoxes = 32;

// `visible` is what follows the thought. Linear in the text.
Located Locate(std::string_view visible);

// The contents of every \boxed{…} and \fbox{…}; of "\boxed 5" the 5. What does not close runs to
// the end of its line.
std::vector<std::string_view> Boxes(std::string_view text);

}  // namespace hone::math
