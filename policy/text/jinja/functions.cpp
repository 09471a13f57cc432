#include "policy/text/jinja/functions.h"

#include <fmt/format.h>

#include <array>

#include "policy/text/jinja/arguments.h"
#include "policy/text/jinja/format.h"
#include "policy/text/jinja/operators.h"

namespace hone::jinja {
namespace {

constexpr std::array<std::pair<std::string_view, Builtin>, 5> kBuiltins = {
    {{"range", Builtin::kRange},
     {"dict", Builtin::kDict},
     {"namespace", Builtin::kNamespace},
     {"raise_exception", Builtin::kRaiseException},
     {"strftime_now", Builtin::kStrftimeNow}}};

constexpr uint64_t kMaxRange = 100'000;  // as jinja2's sandbox has it

Value MakeRange(Heap& heap, const Arguments& arguments) {
  if (!arguments.named.empty()) throw Failure("range takes no named arguments");
  const Bound bound("range", arguments, {"start", "stop", "step"}, 1);
  const bool only_stop = !bound.Has(1);
  const int64_t start = only_stop ? 0 : bound.Integer(0, 0);
  const int64_t stop = bound.Integer(only_stop ? 0 : 1, 0), step = bound.Integer(2, 1);
  if (step == 0) throw Failure("range with a step of zero");
  uint64_t count = 0;
  if (step > 0 ? start < stop : start > stop) {
    const uint64_t span = step > 0 ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                   : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
    const uint64_t stride =
        step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
    count = (span - 1) / stride + 1;
  }
  if (count > kMaxRange) throw Failure(fmt::format("range: more than {} numbers", kMaxRange));
  const std::span<Value> items = heap.Array<Value>(count);
  for (uint64_t i = 0; i < count; ++i) {
    items[i] =
        Int(static_cast<int64_t>(static_cast<uint64_t>(start) + i * static_cast<uint64_t>(step)));
  }
  heap.Step(count / 16);
  return Range(heap, items, start, stop, step);
}

// dict(mapping or pairs, name=value, …).
Value MakeDictOf(Heap& heap, std::string_view callee, const Arguments& arguments) {
  std::vector<Entry> entries;
  if (arguments.positional.size() > 1) throw Failure(fmt::format("{} takes one mapping", callee));
  if (!arguments.positional.empty()) {
    const Value& given = arguments.positional[0];
    if (given.Is(Kind::kDict)) {
      entries.assign(given.dict->entries.begin(), given.dict->entries.end());
    } else {
      for (const Value& pair : Iterate(heap, given)) {
        const std::span<const Value> items = Iterate(heap, pair);
        if (items.size() != 2) throw Failure(fmt::format("{}: expected pairs", callee));
        entries.push_back({items[0], items[1]});
      }
    }
  }
  for (const auto& [name, value] : arguments.named) entries.push_back({Text(name), value});
  return MakeDict(heap, entries);
}

Value MakeNamespace(Heap& heap, const Arguments& arguments) {
  const Value attributes = MakeDictOf(heap, "namespace", arguments);
  Value value;
  value.kind = Kind::kNamespace;
  value.space = heap.New<Namespace>();
  for (const Entry& entry : attributes.dict->entries) {
    if (!entry.key.Is(Kind::kString)) throw Failure("namespace: expected strings as names");
    CheckNamespaceName(entry.key.text());
    value.space->attributes.Set(heap, entry.key.text(), entry.value);
  }
  return value;
}

}  // namespace

std::optional<Builtin> FindBuiltin(std::string_view name) {
  for (const auto& [known, builtin] : kBuiltins) {
    if (known == name) return builtin;
  }
  return std::nullopt;
}

void CheckNamespaceName(std::string_view name) {
  if (name.starts_with('_')) {
    throw Failure(fmt::format("a namespace takes no attribute that begins with '_': '{}'", name));
  }
}

Value CallBuiltin(Heap& heap, Builtin builtin, const std::optional<ChatDate>& date,
                  const Arguments& arguments) {
  switch (builtin) {
    case Builtin::kRange:
      return MakeRange(heap, arguments);
    case Builtin::kDict:
      return MakeDictOf(heap, "dict", arguments);
    case Builtin::kNamespace:
      return MakeNamespace(heap, arguments);
    case Builtin::kRaiseException: {
      const Bound bound("raise_exception", arguments, {"message"}, 1);
      throw Failure(fmt::format("the template refuses: {}", ToText(heap, bound[0])));
    }
    case Builtin::kStrftimeNow: {
      const Bound bound("strftime_now", arguments, {"format"}, 1);
      if (!date) {
        throw Failure(
            "the template prints today's date (strftime_now), and the date must be given here: "
            "in a config data.chat_date = \"YYYY-MM-DD\"");
      }
      std::string text;
      if (!date->Format(bound.String(0, {}), &text)) {
        throw Failure(
            fmt::format("strftime_now: the format '{}' is not supported", bound.String(0, {})));
      }
      return KeepText(heap, text);
    }
  }
  return {};
}

}  // namespace hone::jinja
