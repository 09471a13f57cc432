#include "policy/text/jinja/methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "policy/text/jinja/arguments.h"
#include "policy/text/jinja/format.h"
#include "policy/text/jinja/operators.h"
#include "policy/text/jinja/python_text.h"
#include "policy/text/utf8.h"

namespace hone::jinja {
namespace {

using MethodFunction = Value (*)(Heap& heap, const Value& self, const Arguments& arguments);
using Table = std::unordered_map<std::string_view, MethodFunction>;

// A text made from `self`: markup stays markup.
Value Derived(Heap& heap, const Value& self, std::string_view text) {
  Value value = KeepText(heap, text);
  value.markup = self.markup;
  return value;
}
// The same for a part of it, which needs no copy.
Value Part(const Value& self, std::string_view text) {
  Value value = Text(text);
  value.markup = self.markup;
  return value;
}
Value Parts(Heap& heap, const Value& self, const std::vector<std::string_view>& texts) {
  const std::span<Value> items = heap.Array<Value>(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) items[i] = Part(self, texts[i]);
  return List(items);
}

template <bool kLeft, bool kRight>
Value Strip(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("strip", arguments, {"chars"});
  const auto letters = bound.OptionalString(0);
  heap.Read(self.size * (letters ? 1 + letters->size() / 8 : 1));
  std::string_view text = self.text();
  if (kLeft) text = letters ? LeftStrip(text, *letters) : LeftStrip(text);
  if (kRight) text = letters ? RightStrip(text, *letters) : RightStrip(text);
  return Part(self, text);
}

template <std::string (*kMap)(std::string_view)>
Value MapText(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("this method", arguments, {});
  heap.Read(self.size);
  return Derived(heap, self, kMap(self.text()));
}

template <bool kFromRight>
Value SplitText(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  const auto separator = bound.OptionalString(0);
  const int64_t limit = bound.Integer(1, -1);
  return Parts(heap, self,
               kFromRight ? SplitFromRight(heap, self.text(), separator, limit)
                          : Split(heap, self.text(), separator, limit));
}

Value SplitTextLines(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("splitlines", arguments, {"keepends"});
  return Parts(heap, self, SplitLines(heap, self.text(), bound.Flag(0, false)));
}

template <bool kFromRight>
Value Partition(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("partition", arguments, {"sep"}, 1);
  const std::string_view separator = bound.String(0, {}), text = self.text();
  if (separator.empty()) throw Failure("the separator of a partition is empty");
  const size_t at =
      kFromRight ? FindLastText(heap, text, separator) : FindText(heap, text, separator);
  const std::span<Value> parts = heap.Array<Value>(3);
  if (at == std::string_view::npos) {
    for (Value& part : parts) part = Part(self, {});
    parts[kFromRight ? 2 : 0] = self;
  } else {
    parts[0] = Part(self, text.substr(0, at));
    parts[1] = Part(self, text.substr(at, separator.size()));
    parts[2] = Part(self, text.substr(at + separator.size()));
  }
  return Tuple(parts);
}

// The part of a text between two optional code point indices, and the byte it begins at.
struct Window {
  std::string_view text;
  size_t first_index = 0;
  bool empty_range = false;  // the begin lies behind the end: nothing is found there, not even ""
};
Window CutWindow(Heap& heap, const Value& self, const Bound& bound) {
  const auto size = static_cast<int64_t>(CountCodePoints(heap, self.text()));
  const auto index = [&](size_t i, int64_t fallback) {
    if (!bound.Has(i) || bound[i].Is(Kind::kNone)) return fallback;
    const int64_t given = bound.Integer(i, fallback);
    return given < 0 ? std::max<int64_t>(0, given + size) : given;
  };
  const int64_t begin = index(1, 0), end = std::min(index(2, size), size);
  Window window;
  window.empty_range = begin > end;
  if (window.empty_range) return window;
  const size_t first = ByteOf(self.text(), static_cast<size_t>(begin));
  const size_t last = ByteOf(self.text(), static_cast<size_t>(end));
  window.text = self.text().substr(first, last - first);
  window.first_index = static_cast<size_t>(begin);
  return window;
}

template <bool kStart>
Value StartsOrEndsWith(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound(kStart ? "startswith" : "endswith", arguments, {"affix", "start", "end"}, 1);
  const Window window = CutWindow(heap, self, bound);
  const auto matches = [&](const Value& affix) {
    NeedDefined(affix);
    if (!affix.Is(Kind::kString)) {
      throw Failure(fmt::format("{} takes a string or a tuple of strings, found a {}",
                                kStart ? "startswith" : "endswith", TypeName(affix)));
    }
    if (window.empty_range) return false;
    return kStart ? window.text.starts_with(affix.text()) : window.text.ends_with(affix.text());
  };
  if (!bound[0].Is(Kind::kTuple)) return Bool(matches(bound[0]));
  for (const Value& affix : bound[0].list()) {
    heap.Step();
    if (matches(affix)) return Bool(true);
  }
  return Bool(false);
}

template <bool kLast, bool kMustBeThere>
Value Find(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("find", arguments, {"sub", "start", "end"}, 1);
  const Window window = CutWindow(heap, self, bound);
  const std::string_view wanted = bound.String(0, {});
  const size_t at = window.empty_range ? std::string_view::npos
                    : kLast            ? FindLastText(heap, window.text, wanted)
                                       : FindText(heap, window.text, wanted);
  if (at != std::string_view::npos) {
    const size_t index = window.first_index + CountCodePoints(heap, window.text.substr(0, at));
    return Int(static_cast<int64_t>(index));
  }
  if (kMustBeThere) throw Failure(fmt::format("index: '{}' is not in the string", wanted));
  return Int(-1);
}

Value Count(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("count", arguments, {"sub", "start", "end"}, 1);
  const Window window = CutWindow(heap, self, bound);
  const std::string_view wanted = bound.String(0, {});
  if (window.empty_range) return Int(0);
  if (wanted.empty()) return Int(static_cast<int64_t>(CountCodePoints(heap, window.text)) + 1);
  int64_t count = 0;
  for (size_t at = 0;; ++count) {
    at = FindText(heap, window.text, wanted, at);
    if (at == std::string_view::npos) return Int(count);
    at += wanted.size();
  }
}

Value Replace(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  return Derived(heap, self,
                 ReplaceText(heap, self.text(), bound.String(0, {}), bound.String(1, {}),
                             bound.Integer(2, -1)));
}

Value Join(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("join", arguments, {"iterable"}, 1);
  std::string text;
  bool first = true;
  for (const Value& item : Iterate(heap, bound[0])) {
    heap.Step();
    NeedDefined(item);
    if (!item.Is(Kind::kString)) {
      throw Failure(fmt::format("join takes strings, found a {}", TypeName(item)));
    }
    if (!first) text += self.text();
    first = false;
    text += item.text();
    if (text.size() > kMaxHeapBytes) throw Failure("join makes a text that is too large");
  }
  return Derived(heap, self, text);
}

template <bool kPrefix>
Value RemoveAffix(Heap&, const Value& self, const Arguments& arguments) {
  const Bound bound("removeprefix", arguments, {"affix"}, 1);
  const std::string_view affix = bound.String(0, {});
  std::string_view text = self.text();
  if (kPrefix && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!kPrefix && text.ends_with(affix)) text.remove_suffix(affix.size());
  return Part(self, text);
}

// Of every code point, and of at least one.
template <bool (*kHolds)(char32_t)>
Value AllAre(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("this method", arguments, {});
  heap.Read(self.size);
  for (size_t at = 0; at < self.size;) {
    if (!kHolds(NextCodePoint(self.text(), &at))) return Bool(false);
  }
  return Bool(self.size > 0);
}
bool IsDecimal(char32_t c) { return c >= '0' && c <= '9'; }
bool IsAlphanumeric(char32_t c) { return IsLetter(c) || (IsWordCharacter(c) && c != '_'); }

template <bool kUpper>
Value IsCase(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("this method", arguments, {});
  heap.Read(self.size);
  const bool same = (kUpper ? Upper(self.text()) : Lower(self.text())) == self.text();
  const bool cased = (kUpper ? Lower(self.text()) : Upper(self.text())) != self.text();
  return Bool(same && cased);
}

// 1: text at the left, 2: in the middle, 3: at the right.
template <int kWhere>
Value Justify(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("justify", arguments, {"width", "fillchar"}, 1);
  const std::string_view fill = bound.String(1, " ");
  const int64_t width = bound.Integer(0, 0);
  const auto size = static_cast<int64_t>(CountCodePoints(heap, self.text()));
  if (CountCodePoints(heap, fill) != 1) throw Failure("expected one character to fill with");
  if (width <= size) return self;
  if (width > static_cast<int64_t>(kMaxOutputBytes)) throw Failure("a width that is too large");
  const int64_t missing = width - size;
  const int64_t left = kWhere == 1   ? 0
                       : kWhere == 3 ? missing
                                     : missing / 2 + (missing & width & 1);
  std::string text;
  for (int64_t i = 0; i < left; ++i) text += fill;
  text += self.text();
  for (int64_t i = left; i < missing; ++i) text += fill;
  return Derived(heap, self, text);
}

Value Format(Heap& heap, const Value& self, const Arguments& arguments) {
  return FormatBraces(heap, self, arguments);
}

const Table& TextMethods() {
  static const Table table = {
      {"strip", Strip<true, true>},
      {"lstrip", Strip<true, false>},
      {"rstrip", Strip<false, true>},
      {"upper", MapText<Upper>},
      {"lower", MapText<Lower>},
      {"casefold", MapText<Lower>},
      {"capitalize", MapText<Capitalize>},
      {"title", MapText<TitleCase>},
      {"split", SplitText<false>},
      {"rsplit", SplitText<true>},
      {"splitlines", SplitTextLines},
      {"partition", Partition<false>},
      {"rpartition", Partition<true>},
      {"startswith", StartsOrEndsWith<true>},
      {"endswith", StartsOrEndsWith<false>},
      {"find", Find<false, false>},
      {"rfind", Find<true, false>},
      {"index", Find<false, true>},
      {"rindex", Find<true, true>},
      {"count", Count},
      {"replace", Replace},
      {"join", Join},
      {"removeprefix", RemoveAffix<true>},
      {"removesuffix", RemoveAffix<false>},
      {"isspace", AllAre<IsSpace>},
      {"isdigit", AllAre<IsDecimal>},
      {"isnumeric", AllAre<IsDecimal>},
      {"isdecimal", AllAre<IsDecimal>},
      {"isalpha", AllAre<IsLetter>},
      {"isalnum", AllAre<IsAlphanumeric>},
      {"isupper", IsCase<true>},
      {"islower", IsCase<false>},
      {"ljust", Justify<1>},
      {"center", Justify<2>},
      {"rjust", Justify<3>},
      {"format", Format},
  };
  return table;
}

// Of a list, tuple or range.
std::span<const Value> ItemsOf(const Value& self) {
  return self.Is(Kind::kRange) ? self.iterable->items : self.list();
}

Value CountItems(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("count", arguments, {"value"}, 1);
  int64_t count = 0;
  for (const Value& item : ItemsOf(self)) count += Equal(heap, item, bound[0]);
  return Int(count);
}

Value IndexOf(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("index", arguments, {"value", "start", "stop"}, 1);
  const std::span<const Value> items = ItemsOf(self);
  const auto size = static_cast<int64_t>(items.size());
  const auto place = [&](size_t i, int64_t fallback) {
    const int64_t given = bound.Integer(i, fallback);
    return std::clamp<int64_t>(given < 0 ? given + size : given, 0, size);
  };
  for (int64_t i = place(1, 0); i < place(2, size); ++i) {
    if (Equal(heap, items[static_cast<size_t>(i)], bound[0])) return Int(i);
  }
  throw Failure("index: the value is not in the list");
}

Value Copy(Heap&, const Value& self, const Arguments& arguments) {
  const Bound bound("copy", arguments, {});
  return self;
}

const Table& ListMethods() {
  static const Table table = {{"count", CountItems}, {"index", IndexOf}, {"copy", Copy}};
  return table;
}

Value View(Heap& heap, std::string_view name, std::span<const Value> items) {
  Value view;
  view.kind = Kind::kView;
  view.iterable = heap.New<Iterable>({.items = items, .name = name});
  return view;
}

template <bool kKeys, bool kValues>
Value ViewOf(Heap& heap, const Value& self, const Arguments& arguments) {
  const Bound bound("this method", arguments, {});
  heap.Step(self.size);
  const std::span<Value> items = heap.Array<Value>(self.size);
  for (size_t i = 0; i < self.size; ++i) {
    const Entry& entry = self.dict->entries[i];
    if (kKeys && kValues) {
      const std::span<Value> pair = heap.Array<Value>(2);
      pair[0] = entry.key;
      pair[1] = entry.value;
      items[i] = Tuple(pair);
    } else {
      items[i] = kKeys ? entry.key : entry.value;
    }
  }
  return View(heap, kKeys && kValues ? "dict_items" : kKeys ? "dict_keys" : "dict_values", items);
}

Value Get(Heap& heap, const Value& self, const Arguments& arguments) {
  if (!arguments.named.empty()) throw Failure("get takes no named arguments");
  const Bound bound("get", arguments, {"key", "default"}, 1);
  const Value* found = self.dict->Find(heap, bound[0]);
  return found != nullptr ? *found : bound.Or(1, None());
}

const Table& DictMethods() {
  static const Table table = {{"items", ViewOf<true, true>},
                              {"keys", ViewOf<true, false>},
                              {"values", ViewOf<false, true>},
                              {"get", Get},
                              {"copy", Copy}};
  return table;
}

Value Cycle(Heap&, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty()) throw Failure("cycle has nothing to choose from");
  return arguments.positional[self.loop->index % arguments.positional.size()];
}

Value Changed(Heap& heap, const Value& self, const Arguments& arguments) {
  Loop& loop = *self.loop;
  const std::vector<Value> values(arguments.positional.begin(), arguments.positional.end());
  const Value now = KeepList(heap, values);
  if (loop.has_changed && Equal(heap, now, List(loop.changed))) return Bool(false);
  loop.changed = now.list();
  loop.has_changed = true;
  return Bool(true);
}

const Table& LoopMethods() {
  static const Table table = {{"cycle", Cycle}, {"changed", Changed}};
  return table;
}

const Table* MethodsOf(Kind kind) {
  switch (kind) {
    case Kind::kString:
      return &TextMethods();
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
      return &ListMethods();
    case Kind::kDict:
      return &DictMethods();
    case Kind::kLoop:
      return &LoopMethods();
    default:
      return nullptr;
  }
}

// Python's methods that change what they belong to.
constexpr std::array<std::string_view, 8> kListChanges = {"append", "clear", "pop",    "reverse",
                                                          "insert", "sort",  "extend", "remove"};
constexpr std::array<std::string_view, 5> kDictChanges = {"clear", "pop", "popitem", "setdefault",
                                                          "update"};
// And those of str that templates do not need: an error rather than an undefined value.
constexpr std::array<std::string_view, 11> kNotSupported = {
    "encode",  "expandtabs", "format_map", "isascii",   "isidentifier", "isprintable",
    "istitle", "maketrans",  "swapcase",   "translate", "zfill"};

template <size_t kSize>
bool IsIn(const std::array<std::string_view, kSize>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

MethodAccess FindMethod(const Value& value, std::string_view name) {
  const Table* methods = MethodsOf(value.kind);
  if (methods == nullptr) return MethodAccess::kNone;
  if (!value.Is(Kind::kList) && !value.Is(Kind::kDict) && name == "copy")
    return MethodAccess::kNone;
  if (methods->contains(name)) return MethodAccess::kOpen;
  const bool forbidden = (value.Is(Kind::kList) && IsIn(kListChanges, name)) ||
                         (value.Is(Kind::kDict) && (IsIn(kDictChanges, name))) ||
                         (value.Is(Kind::kString) && IsIn(kNotSupported, name));
  return forbidden ? MethodAccess::kForbidden : MethodAccess::kNone;
}

Value CallMethod(Heap& heap, const Method& method, const Arguments& arguments) {
  heap.Step();
  return MethodsOf(method.self.kind)->at(method.name)(heap, method.self, arguments);
}

std::optional<Value> LoopAttribute(Heap& heap, const Loop& loop, std::string_view name) {
  const auto index = static_cast<int64_t>(loop.index);
  const auto size = static_cast<int64_t>(loop.items.size());
  if (name == "index") return Int(index + 1);
  if (name == "index0") return Int(index);
  if (name == "revindex") return Int(size - index);
  if (name == "revindex0") return Int(size - index - 1);
  if (name == "first") return Bool(index == 0);
  if (name == "last") return Bool(index + 1 == size);
  if (name == "length") return Int(size);
  if (name == "depth") return Int(loop.depth);
  if (name == "depth0") return Int(loop.depth - 1);
  if (name == "previtem") {
    return index > 0 ? loop.items[loop.index - 1]
                     : UndefinedBecause(heap, "there is no item before the first");
  }
  if (name == "nextitem") {
    return index + 1 < size ? loop.items[loop.index + 1]
                            : UndefinedBecause(heap, "there is no item after the last");
  }
  return std::nullopt;
}

}  // namespace hone::jinja
