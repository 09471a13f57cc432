// The right answer of a row, where a published data set puts it at the end of a worked solution.
#pragma once

#include <string>

#include "rollout/data_file.h"

namespace hone {

// The answer in the text of `column`, by a rule of data.answer_from:
//   "gsm8k": what follows the last "####", commas left out ("… #### 1,234" → "1234")
//   "boxed": what the last \boxed{…} or \fbox{…} holds, also as "\boxed 5" (MATH)
// Throws RowError when the column is no text or the text has no answer.
std::string GoldAnswer(const RowPlace& place, const Json& row, const std::string& column,
                       const std::string& rule);

}  // namespace hone
