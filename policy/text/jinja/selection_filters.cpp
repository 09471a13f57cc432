// Filters that go through a list by another filter or test: map, select, reject and their kin.
#include <fmt/format.h>

#include "policy/text/jinja/filter_table.h"
#include "policy/text/jinja/operators.h"
#include "policy/text/jinja/tests.h"

namespace hone::jinja {
namespace {

std::string_view Name(std::string_view callee, const Value& value) {
  NeedDefined(value);
  if (!value.Is(Kind::kString)) {
    throw Failure(fmt::format("{}: expected the name of a filter or test, found a {}", callee,
                              TypeName(value)));
  }
  return value.text();
}

Value MapAttribute(Heap& heap, const Value& value, const Arguments& arguments) {
  Value path, fallback = None();
  for (const auto& [name, given] : arguments.named) {
    if (name == "attribute") {
      path = given;
    } else if (name == "default") {
      fallback = given;
    } else {
      throw Failure(fmt::format("map takes no argument '{}'", name));
    }
  }
  std::vector<Value> mapped;
  for (const Value& item : Iterate(heap, value)) {
    Value found = GetPath(heap, item, path);
    if (found.Is(Kind::kUndefined) && !fallback.Is(Kind::kNone)) found = fallback;
    mapped.push_back(found);
  }
  return Generator(heap, mapped);
}

Value MapFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  if (!Truth(value)) return Generator(heap, {});
  if (arguments.positional.empty()) {
    if (arguments.named.empty()) throw Failure("map needs the name of a filter or an attribute");
    return MapAttribute(heap, value, arguments);
  }
  const std::string_view name = Name("map", arguments.positional[0]);
  const FilterFunction filter = FindFilter(name);
  if (filter == nullptr) throw Failure(UnknownFilter(name));
  const Arguments rest{arguments.positional.subspan(1), arguments.named};
  std::vector<Value> mapped;
  for (const Value& item : Iterate(heap, value)) {
    heap.Step();
    mapped.push_back(filter(heap, item, rest));
  }
  return Generator(heap, mapped);
}

template <bool kKeep, bool kAttribute>
Value SelectFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  if (!Truth(value)) return Generator(heap, {});
  constexpr std::string_view kCallee = kKeep ? "select" : "reject";
  std::span<const Value> given = arguments.positional;
  Value path = None();
  if (kAttribute) {
    if (given.empty()) throw Failure(fmt::format("{}attr needs an attribute", kCallee));
    path = given[0];
    given = given.subspan(1);
  }
  TestFunction test = nullptr;
  if (!given.empty()) {
    const std::string_view name = Name(kCallee, given[0]);
    test = FindTest(name);
    if (test == nullptr) throw Failure(UnknownTest(name));
    given = given.subspan(1);
  }
  std::vector<Value> selected;
  for (const Value& item : Iterate(heap, value)) {
    heap.Step();
    const Value judged = kAttribute ? GetPath(heap, item, path) : item;
    const bool holds =
        test != nullptr ? test(heap, judged, {given, arguments.named}) : Truth(judged);
    if (holds == kKeep) selected.push_back(item);
  }
  return Generator(heap, selected);
}

}  // namespace

void AddSelectionFilters(FilterTable* table) {
  table->insert({{"map", MapFilter},
                 {"select", SelectFilter<true, false>},
                 {"reject", SelectFilter<false, false>},
                 {"selectattr", SelectFilter<true, true>},
                 {"rejectattr", SelectFilter<false, true>}});
}

}  // namespace hone::jinja
