// The values of a template: Python's, as far as templates can reach them. A Value is a small plain
// struct; what it points to lives in the rendering's Heap, the template or the caller's JSON, and
// does not change once it is made (the sandbox of jinja2 forbids changing lists and dicts), but for
// namespaces, loops and generators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "policy/text/jinja/heap.h"

namespace hone::jinja {

struct Dict;
struct Iterable;
struct Loop;
struct Macro;
struct Method;
struct Namespace;
struct UndefinedName;
enum class Builtin : uint8_t;

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kRange,      // of range()
  kView,       // of dict.keys(), values(), items()
  kGenerator,  // of filters such as map: can be gone through once
  kNamespace,
  kLoop,
  kMacro,
  kMethod,
  kBuiltin,
};

struct Value {
  Kind kind = Kind::kUndefined;
  bool markup = false;  // a string that went through `safe` or `escape`
  union {
    const UndefinedName* undefined = nullptr;
    bool boolean;
    int64_t integer;
    double real;
    const char* bytes;   // kString: UTF-8, `size` bytes
    const Value* items;  // kList, kTuple: `size` values
    const Dict* dict;
    Iterable* iterable;
    Namespace* space;
    Loop* loop;
    const Macro* macro;
    const Method* method;
    Builtin builtin;
  };
  size_t size = 0;

  bool Is(Kind other) const { return kind == other; }
  std::string_view text() const { return {bytes, size}; }
  std::span<const Value> list() const { return {items, size}; }
};

Value None();
Value Bool(bool value);
Value Int(int64_t value);
Value Float(double value);
Value Text(std::string_view kept);  // lives as long as the value
Value KeepText(Heap& heap, std::string_view text);
Value List(std::span<const Value> kept);
Value Tuple(std::span<const Value> kept);
Value KeepList(Heap& heap, const std::vector<Value>& items);
Value Generator(Heap& heap, const std::vector<Value>& items);
Value Range(Heap& heap, std::span<const Value> kept, int64_t start, int64_t stop, int64_t step);

// Why a value is undefined, for the error that using it gives.
struct UndefinedName {
  std::string_view name = {},
                   owner = {};    // the attribute `name` of an `owner`; a variable without owner
  bool forbidden = false;         // there, but the sandbox keeps it away
  std::string_view message = {};  // instead of all that
};
Value UndefinedVariable(Heap& heap, std::string_view name);
Value UndefinedAttribute(Heap& heap, const Value& owner, std::string_view name);
Value ForbiddenAttribute(Heap& heap, const Value& owner, std::string_view name);
Value UndefinedBecause(Heap& heap, std::string_view message);  // a literal
[[noreturn]] void FailUndefined(const Value& undefined);
// Fails when it is undefined.
inline void NeedDefined(const Value& value) {
  if (value.Is(Kind::kUndefined)) FailUndefined(value);
}

struct Entry {
  Value key, value;
};

// Entries in order of insertion; found by hash when there are many.
struct Dict {
  std::span<const Entry> entries;
  std::span<const uint32_t> slots;  // entry + 1, 0: free; empty when there are few entries

  // Null when it has no such key. A key that has no hash fails.
  const Value* Find(Heap& heap, const Value& key) const;
  const Value* Find(Heap& heap, std::string_view key) const { return Find(heap, Text(key)); }
};
// A key that comes twice keeps its first place and takes its last value.
Value MakeDict(Heap& heap, const std::vector<Entry>& entries);

struct Iterable {
  std::span<const Value> items;
  std::string_view name;                  // "range", "dict_keys", "generator", …
  bool consumed = false;                  // a generator that was gone through
  int64_t start = 0, stop = 0, step = 1;  // of a range
};

// Names and values, few enough to be looked through.
struct Bindings {
  struct Binding {
    std::string_view name;
    Value value;
  };
  std::span<Binding> room;
  size_t size = 0;

  Value* Find(std::string_view name);
  void Set(Heap& heap, std::string_view name, const Value& value);
};

struct Namespace {
  Bindings attributes;
};

// The `loop` of a for block.
struct Loop {
  std::span<const Value> items;
  size_t index = 0;  // from 0
  int depth = 1;     // of recursive loops
  const void* statement = nullptr;
  void* scope = nullptr;
  std::span<const Value> changed;  // of the last loop.changed()
  bool has_changed = false;
};

// A method of a value, not yet called: x.strip, loop.cycle.
struct Method {
  Value self;
  std::string_view name;
};

struct Arguments {
  struct Named {
    std::string_view name;
    Value value;
  };
  std::span<const Value> positional;
  std::span<const Named> named;
};

// Python's name of a value's type.
std::string_view TypeName(const Value& value);
bool Truth(const Value& value);
// bool and int alike; nothing for others.
std::optional<int64_t> AsInt(const Value& value);
bool IsNumber(const Value& value);  // bool, int or float
double AsFloat(const Value& value);

// What a for loop goes through: items, keys, code points. A generator is used up. Fails for what
// cannot be iterated over.
std::span<const Value> Iterate(Heap& heap, const Value& value);

// The JSON must outlive the value.
Value FromJson(Heap& heap, const OrderedJson& json, int depth = 0);

}  // namespace hone::jinja
