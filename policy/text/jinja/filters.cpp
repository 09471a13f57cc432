#include "policy/text/jinja/filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/nearest.h"
#include "policy/text/jinja/filter_table.h"

namespace hone::jinja {
namespace {

const FilterTable& Filters() {
  static const FilterTable table = [] {
    FilterTable filters;
    AddTextFilters(&filters);
    AddNumberFilters(&filters);
    AddSequenceFilters(&filters);
    AddSelectionFilters(&filters);
    return filters;
  }();
  return table;
}

// Of jinja2, and of no use in a chat template.
constexpr std::array<std::string_view, 13> kNotSupported = {
    "attr",     "filesizeformat", "groupby", "pprint",    "random",   "slice",  "striptags",
    "truncate", "urlencode",      "urlize",  "wordcount", "wordwrap", "xmlattr"};

}  // namespace

FilterFunction FindFilter(std::string_view name) {
  const auto found = Filters().find(name);
  return found == Filters().end() ? nullptr : found->second;
}

std::string UnknownFilter(std::string_view name) {
  if (std::find(kNotSupported.begin(), kNotSupported.end(), name) != kNotSupported.end()) {
    return fmt::format("the filter '{}' is not supported in chat templates", name);
  }
  std::vector<std::string> known;
  for (const auto& [filter, function] : Filters()) known.emplace_back(filter);
  std::sort(known.begin(), known.end());
  return fmt::format("there is no filter '{}'{}", name, DidYouMean(std::string(name), known));
}

}  // namespace hone::jinja
