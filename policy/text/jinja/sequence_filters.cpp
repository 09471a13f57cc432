// Filters of lists and mappings as a whole: order, ends, joining.
#include <fmt/format.h>

#include <algorithm>

#include "policy/text/jinja/arguments.h"
#include "policy/text/jinja/filter_table.h"
#include "policy/text/jinja/format.h"
#include "policy/text/jinja/operators.h"
#include "policy/text/jinja/python_text.h"

namespace hone::jinja {
namespace {

Value DefaultFilter(Heap&, const Value& value, const Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool missing = value.Is(Kind::kUndefined) || (bound.Flag(1, false) && !Truth(value));
  return missing ? bound.Or(0, Text("")) : value;
}

// What values are ordered and told apart by: an attribute of them, strings without case.
class Key {
 public:
  Key(const Value& path, bool case_sensitive) : path_(path), case_sensitive_(case_sensitive) {}

  Value Of(Heap& heap, const Value& item) const {
    if (path_.Is(Kind::kNone)) return Folded(heap, item);
    if (!path_.Is(Kind::kString) || path_.text().find(',') == std::string_view::npos) {
      return Folded(heap, GetPath(heap, item, path_));
    }
    std::vector<Value> parts;
    for (const std::string_view path : Split(heap, path_.text(), ",", -1)) {
      parts.push_back(Folded(heap, GetPath(heap, item, Text(path))));
    }
    return KeepList(heap, parts);
  }

 private:
  Value Folded(Heap& heap, const Value& value) const {
    if (case_sensitive_ || !value.Is(Kind::kString)) return value;
    heap.Read(value.size);
    return KeepText(heap, Lower(value.text()));
  }

  Value path_;
  bool case_sensitive_;
};

struct Keyed {
  Value key, item;
};

std::vector<Value> Sorted(Heap& heap, std::vector<Keyed> items, bool reverse) {
  std::stable_sort(items.begin(), items.end(), [&](const Keyed& a, const Keyed& b) {
    return reverse ? Less(heap, b.key, a.key) : Less(heap, a.key, b.key);
  });
  std::vector<Value> sorted;
  for (const Keyed& keyed : items) sorted.push_back(keyed.item);
  return sorted;
}

Value SortFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const Key key(bound.Or(2, None()), bound.Flag(1, false));
  std::vector<Keyed> items;
  for (const Value& item : Iterate(heap, value)) items.push_back({key.Of(heap, item), item});
  return KeepList(heap, Sorted(heap, std::move(items), bound.Flag(0, false)));
}

Value Pair(Heap& heap, const Entry& entry) {
  const std::span<Value> pair = heap.Array<Value>(2);
  pair[0] = entry.key;
  pair[1] = entry.value;
  return Tuple(pair);
}

Value DictSortFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string_view by = bound.String(1, "key");
  if (by != "key" && by != "value") throw Failure("dictsort: expected 'key' or 'value' as 'by'");
  NeedDefined(value);
  if (!value.Is(Kind::kDict)) {
    throw Failure(fmt::format("dictsort takes a dict, found a {}", TypeName(value)));
  }
  const Key key(None(), bound.Flag(0, false));
  std::vector<Keyed> items;
  for (const Entry& entry : value.dict->entries) {
    items.push_back({key.Of(heap, by == "key" ? entry.key : entry.value), Pair(heap, entry)});
  }
  return KeepList(heap, Sorted(heap, std::move(items), bound.Flag(2, false)));
}

Value ItemsFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("items", arguments, {});
  std::vector<Value> pairs;
  if (!value.Is(Kind::kUndefined)) {
    if (!value.Is(Kind::kDict)) {
      throw Failure(fmt::format("items takes a dict, found a {}", TypeName(value)));
    }
    for (const Entry& entry : value.dict->entries) pairs.push_back(Pair(heap, entry));
  }
  return Generator(heap, pairs);
}

Value UniqueFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  const Key key(bound.Or(1, None()), bound.Flag(0, false));
  std::vector<Entry> entries;
  const std::span<const Value> items = Iterate(heap, value);
  for (size_t i = 0; i < items.size(); ++i) {
    entries.push_back({key.Of(heap, items[i]), None()});
  }
  // The first of each key: the places of keys in a dict.
  const Value dict = MakeDict(heap, entries);
  std::vector<Value> first;
  size_t next = 0;
  for (size_t i = 0; i < items.size() && next < dict.size; ++i) {
    if (!Equal(heap, entries[i].key, dict.dict->entries[next].key)) continue;
    first.push_back(items[i]);
    ++next;
  }
  return Generator(heap, first);
}

template <bool kMax>
Value ExtremeFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound(kMax ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const Key key(bound.Or(1, None()), bound.Flag(0, false));
  const std::span<const Value> items = Iterate(heap, value);
  if (items.empty()) return UndefinedBecause(heap, "there is no item: the list is empty");
  Value best = items[0], best_key = key.Of(heap, best);
  for (const Value& item : items.subspan(1)) {
    const Value item_key = key.Of(heap, item);
    if (kMax ? Less(heap, best_key, item_key) : Less(heap, item_key, best_key)) {
      best = item;
      best_key = item_key;
    }
  }
  return best;
}

Value FirstFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("first", arguments, {});
  if (value.Is(Kind::kGenerator)) {  // takes one item away and leaves the others
    Iterable& rest = *value.iterable;
    if (!rest.consumed && !rest.items.empty()) {
      const Value item = rest.items[0];
      rest.items = rest.items.subspan(1);
      return item;
    }
    return UndefinedBecause(heap, "there is no first item: it was gone through before");
  }
  const std::span<const Value> items = Iterate(heap, value);
  return items.empty() ? UndefinedBecause(heap, "there is no first item: the list is empty")
                       : items.front();
}

Value LastFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("last", arguments, {});
  if (value.Is(Kind::kGenerator)) {
    throw Failure("last does not take a generator: make it a list first");
  }
  const std::span<const Value> items = Iterate(heap, value);
  return items.empty() ? UndefinedBecause(heap, "there is no last item: the list is empty")
                       : items.back();
}

Value ReverseFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("reverse", arguments, {});
  const std::span<const Value> items = Iterate(heap, value);
  const std::vector<Value> reversed(items.rbegin(), items.rend());
  heap.Step(items.size());
  if (value.Is(Kind::kString)) {
    std::string text;
    for (const Value& letter : reversed) text += letter.text();
    return KeepText(heap, text);
  }
  return value.Is(Kind::kGenerator) ? KeepList(heap, reversed) : Generator(heap, reversed);
}

Value ListFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("list", arguments, {});
  const std::span<const Value> items = Iterate(heap, value);
  heap.Step(items.size());
  return List(items);
}

Value JoinFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const std::string_view separator = bound.Has(0) ? ToText(heap, bound[0]) : "";
  const Value path = bound.Or(1, None());
  std::string text;
  bool first = true;
  for (const Value& item : Iterate(heap, value)) {
    if (!first) text += separator;
    first = false;
    AppendText(heap, path.Is(Kind::kNone) ? item : GetPath(heap, item, path), &text);
  }
  return KeepText(heap, text);
}

Value BatchFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"}, 1);
  const int64_t size = bound.Integer(0, 0);
  if (size < 1 || size > 100'000) throw Failure("batch: expected a size from 1 to 100000");
  std::vector<Value> batches, batch;
  for (const Value& item : Iterate(heap, value)) {
    heap.Step();
    if (static_cast<int64_t>(batch.size()) == size) {
      batches.push_back(KeepList(heap, batch));
      batch.clear();
    }
    batch.push_back(item);
  }
  if (!batch.empty()) {
    if (bound.Has(1) && !bound[1].Is(Kind::kNone))
      batch.resize(static_cast<size_t>(size), bound[1]);
    batches.push_back(KeepList(heap, batch));
  }
  return Generator(heap, batches);
}

}  // namespace

void AddSequenceFilters(FilterTable* table) {
  table->insert({{"default", DefaultFilter},
                 {"d", DefaultFilter},
                 {"sort", SortFilter},
                 {"dictsort", DictSortFilter},
                 {"items", ItemsFilter},
                 {"unique", UniqueFilter},
                 {"max", ExtremeFilter<true>},
                 {"min", ExtremeFilter<false>},
                 {"first", FirstFilter},
                 {"last", LastFilter},
                 {"reverse", ReverseFilter},
                 {"list", ListFilter},
                 {"join", JoinFilter},
                 {"batch", BatchFilter}});
}

}  // namespace hone::jinja
