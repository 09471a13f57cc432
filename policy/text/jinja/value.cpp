#include "policy/text/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "policy/text/jinja/operators.h"
#include "policy/text/jinja/python_text.h"
#include "policy/text/utf8.h"

namespace hone::jinja {
namespace {
constexpr size_t kFewEntries = 8;
}

Value None() {
  Value value;
  value.kind = Kind::kNone;
  return value;
}
Value Bool(bool boolean) {
  Value value;
  value.kind = Kind::kBool;
  value.boolean = boolean;
  return value;
}
Value Int(int64_t integer) {
  Value value;
  value.kind = Kind::kInt;
  value.integer = integer;
  return value;
}
Value Float(double real) {
  Value value;
  value.kind = Kind::kFloat;
  value.real = real;
  return value;
}
Value Text(std::string_view kept) {
  Value value;
  value.kind = Kind::kString;
  value.bytes = kept.data();
  value.size = kept.size();
  return value;
}
Value KeepText(Heap& heap, std::string_view text) { return Text(heap.Keep(text)); }
Value List(std::span<const Value> kept) {
  Value value;
  value.kind = Kind::kList;
  value.items = kept.data();
  value.size = kept.size();
  return value;
}
Value Tuple(std::span<const Value> kept) {
  Value value = List(kept);
  value.kind = Kind::kTuple;
  return value;
}
Value KeepList(Heap& heap, const std::vector<Value>& items) { return List(heap.Keep(items)); }
Value Generator(Heap& heap, const std::vector<Value>& items) {
  Value value;
  value.kind = Kind::kGenerator;
  value.iterable = heap.New<Iterable>({.items = heap.Keep(items), .name = "generator"});
  return value;
}

Value Range(Heap& heap, std::span<const Value> kept, int64_t start, int64_t stop, int64_t step) {
  Value value;
  value.kind = Kind::kRange;
  value.iterable = heap.New<Iterable>({kept, "range", false, start, stop, step});
  return value;
}

namespace {
Value Undefined(Heap& heap, const UndefinedName& name) {
  Value value;
  value.undefined = heap.New(name);
  return value;
}
}  // namespace

Value UndefinedVariable(Heap& heap, std::string_view name) {
  return Undefined(heap, {.name = name});
}
Value UndefinedAttribute(Heap& heap, const Value& owner, std::string_view name) {
  return Undefined(heap, {.name = name, .owner = TypeName(owner)});
}
Value ForbiddenAttribute(Heap& heap, const Value& owner, std::string_view name) {
  return Undefined(heap, {.name = name, .owner = TypeName(owner), .forbidden = true});
}
Value UndefinedBecause(Heap& heap, std::string_view message) {
  return Undefined(heap, {.message = message});
}

void FailUndefined(const Value& undefined) {
  const UndefinedName* name = undefined.undefined;
  if (name == nullptr) throw Failure("the value is undefined");
  if (!name->message.empty()) throw Failure(std::string(name->message));
  if (name->owner.empty()) throw Failure(fmt::format("'{}' is undefined", name->name));
  if (name->forbidden) {
    throw Failure(fmt::format("the attribute '{}' of a {} is not open to templates", name->name,
                              name->owner));
  }
  throw Failure(fmt::format("a {} has no attribute or item '{}'", name->owner, name->name));
}

const Value* Dict::Find(Heap& heap, const Value& key) const {
  if (slots.empty()) {
    Hash(heap, key);  // fails for a key that cannot be one
    for (const Entry& entry : entries) {
      if (Equal(heap, entry.key, key)) return &entry.value;
    }
    return nullptr;
  }
  for (size_t slot = Hash(heap, key);; ++slot) {
    const uint32_t entry = slots[slot & (slots.size() - 1)];
    if (entry == 0) return nullptr;
    if (Equal(heap, entries[entry - 1].key, key)) return &entries[entry - 1].value;
  }
}

Value MakeDict(Heap& heap, const std::vector<Entry>& given) {
  const std::span<Entry> entries = heap.Array<Entry>(given.size());
  std::span<uint32_t> slots;
  if (given.size() > kFewEntries) slots = heap.Array<uint32_t>(std::bit_ceil(2 * given.size()));
  Dict dict;
  size_t size = 0;
  for (const Entry& entry : given) {
    heap.Step();
    dict.entries = entries.first(size);
    dict.slots = slots;
    if (const Value* found = dict.Find(heap, entry.key)) {
      *const_cast<Value*>(found) = entry.value;
      continue;
    }
    entries[size++] = entry;
    if (slots.empty()) continue;
    size_t slot = Hash(heap, entry.key) & (slots.size() - 1);
    while (slots[slot] != 0) slot = (slot + 1) & (slots.size() - 1);
    slots[slot] = static_cast<uint32_t>(size);
  }
  dict.entries = entries.first(size);
  dict.slots = slots;
  Value value;
  value.kind = Kind::kDict;
  value.dict = heap.New(dict);
  value.size = size;
  return value;
}

Value* Bindings::Find(std::string_view name) {
  for (size_t i = 0; i < size; ++i) {
    if (room[i].name == name) return &room[i].value;
  }
  return nullptr;
}

void Bindings::Set(Heap& heap, std::string_view name, const Value& value) {
  heap.Step(1 + size / 16);
  if (Value* found = Find(name)) {
    *found = value;
    return;
  }
  if (size == room.size()) {
    const std::span<Binding> larger = heap.Array<Binding>(std::max<size_t>(4, 2 * size));
    std::copy(room.begin(), room.end(), larger.begin());
    room = larger;
  }
  room[size++] = {name, value};
}

std::string_view TypeName(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kView:
    case Kind::kGenerator:
      return value.iterable->name;
    case Kind::kNamespace:
      return "namespace";
    case Kind::kLoop:
      return "loop";
    case Kind::kMacro:
      return "macro";
    case Kind::kMethod:
      return "method";
    case Kind::kBuiltin:
      return "function";
  }
  return "";
}

bool Truth(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean;
    case Kind::kInt:
      return value.integer != 0;
    case Kind::kFloat:
      return value.real != 0;
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
      return value.size > 0;
    case Kind::kRange:
    case Kind::kView:
      return !value.iterable->items.empty();
    default:
      return true;
  }
}

std::optional<int64_t> AsInt(const Value& value) {
  if (value.Is(Kind::kInt)) return value.integer;
  if (value.Is(Kind::kBool)) return value.boolean ? 1 : 0;
  return std::nullopt;
}
bool IsNumber(const Value& value) { return value.Is(Kind::kFloat) || AsInt(value).has_value(); }
double AsFloat(const Value& value) {
  return value.Is(Kind::kFloat) ? value.real : static_cast<double>(*AsInt(value));
}

std::span<const Value> Iterate(Heap& heap, const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return {};
    case Kind::kList:
    case Kind::kTuple:
      return value.list();
    case Kind::kDict: {
      const std::span<Value> keys = heap.Array<Value>(value.size);
      for (size_t i = 0; i < value.size; ++i) keys[i] = value.dict->entries[i].key;
      return keys;
    }
    case Kind::kString: {
      const std::span<Value> letters = heap.Array<Value>(CountCodePoints(heap, value.text()));
      size_t at = 0;
      for (Value& letter : letters) {
        const size_t begin = at;
        NextCodePoint(value.text(), &at);
        letter = Text(value.text().substr(begin, at - begin));
      }
      return letters;
    }
    case Kind::kRange:
    case Kind::kView:
      return value.iterable->items;
    case Kind::kGenerator:
      if (value.iterable->consumed) return {};
      value.iterable->consumed = true;
      return value.iterable->items;
    default:
      throw Failure(fmt::format("expected something to go through, found a {}", TypeName(value)));
  }
}

Value FromJson(Heap& heap, const OrderedJson& json, int depth) {
  if (depth > kMaxValueDepth) {
    throw Failure(fmt::format("the messages are nested deeper than {} levels", kMaxValueDepth));
  }
  heap.Step();
  switch (json.type()) {
    case OrderedJson::value_t::boolean:
      return Bool(json.get<bool>());
    case OrderedJson::value_t::number_integer:
      return Int(json.get<int64_t>());
    case OrderedJson::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        throw Failure("the messages hold an integer beyond 64 bits");
      }
      return Int(json.get<int64_t>());
    case OrderedJson::value_t::number_float:
      return Float(json.get<double>());
    case OrderedJson::value_t::string: {
      const std::string_view text = json.get_ref<const std::string&>();
      if (IsValidUtf8(text)) return Text(text);
      return KeepText(heap, ReplaceInvalidUtf8(text));
    }
    case OrderedJson::value_t::array: {
      const std::span<Value> items = heap.Array<Value>(json.size());
      for (size_t i = 0; i < items.size(); ++i) items[i] = FromJson(heap, json[i], depth + 1);
      return List(items);
    }
    case OrderedJson::value_t::object: {
      std::vector<Entry> entries;
      for (const auto& [key, item] : json.items()) {
        entries.push_back(
            {IsValidUtf8(key) ? KeepText(heap, key) : KeepText(heap, ReplaceInvalidUtf8(key)),
             FromJson(heap, item, depth + 1)});
      }
      return MakeDict(heap, entries);
    }
    default:
      return None();
  }
}

}  // namespace hone::jinja
