// The filters of one file each, gathered by filters.cpp.
#pragma once

#include <string_view>
#include <unordered_map>

#include "policy/text/jinja/filters.h"

namespace hone::jinja {

using FilterTable = std::unordered_map<std::string_view, FilterFunction>;

void AddTextFilters(FilterTable* table);
void AddNumberFilters(FilterTable* table);
void AddSequenceFilters(FilterTable* table);
void AddSelectionFilters(FilterTable* table);

}  // namespace hone::jinja
