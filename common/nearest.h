// The known word closest to a mistyped one, for error messages.
#pragma once

#include <string>
#include <vector>

namespace hone {

// By edit distance; empty when nothing known is within half of the word's length.
std::string Nearest(const std::string& word, const std::vector<std::string>& known);

// "; did you mean X?" or "; known are: a, b, c" when nothing is near.
std::string DidYouMean(const std::string& word, const std::vector<std::string>& known);

}  // namespace hone
