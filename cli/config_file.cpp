#include "cli/config_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <sstream>

#include "common/error.h"
#include "common/file.h"
#include "common/nearest.h"
#include "rollout/prompt_template.h"
#include "transport/address.h"

namespace hone {
namespace {

// Where a node came from: "file:line", or "--set".
std::string Place(const std::string& path, const toml::source_region& source) {
  if (source.begin.line == 0) return source.path ? *source.path : path;
  return fmt::format("{}:{}", path, source.begin.line);
}

std::string Found(const toml::node& node) {
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  std::string_view kind = "a value";
  switch (node.type()) {
    case toml::node_type::string:
      kind = "the string";
      break;
    case toml::node_type::integer:
      kind = "the integer";
      break;
    case toml::node_type::floating_point:
      kind = "the number";
      break;
    case toml::node_type::boolean:
      kind = "the boolean";
      break;
    case toml::node_type::array:
      kind = "the array";
      break;
    case toml::node_type::table:
      return "a table";
    default:
      break;
  }
  return fmt::format("{} {}", kind, text.str());
}

class Reader {
 public:
  Reader(const std::string& path, const toml::table& root) : path_(path), root_(root) {}

  void Section(const std::string& name) {
    section_ = name;
    known_[name];
    table_ = nullptr;
    const toml::node* node = root_.get(name);
    if (node == nullptr) return;
    table_ = node->as_table();
    if (table_ == nullptr) {
      throw UsageError(fmt::format("{}: {}: expected a table [{}], found {}",
                                   Place(path_, node->source()), name, name, Found(*node)));
    }
  }

  // Only for messages: [[reward]] is an array and no section of the list.
  void Name(const std::string& name) { section_ = name; }

  template <class T>
  void Field(const std::string& key, T& member, const Limits& limits) {
    known_[section_].push_back(key);
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    if (node == nullptr) {
      if (limits.required) {
        throw UsageError(
            fmt::format("{}: [{}] {}: expected a value, found none", path_, section_, key));
      }
      return;
    }
    Read(*node, key, member, limits);
  }

  // After the visit: whatever the file holds and the list does not. `apart` are the tables read
  // elsewhere.
  void RefuseUnknown(const std::vector<std::string>& apart) const {
    std::vector<std::string> sections = apart;
    for (const auto& [name, keys] : known_) sections.push_back(name);
    for (const auto& [name, node] : root_) {
      const std::string section(name.str());
      if (std::find(apart.begin(), apart.end(), section) != apart.end()) continue;
      const auto known = known_.find(section);
      if (known == known_.end()) {
        throw UsageError(fmt::format("{}: [{}]: unknown section{}", Place(path_, node.source()),
                                     section, DidYouMean(section, sections)));
      }
      for (const auto& [key, value] : *node.as_table()) {
        const std::string word(key.str());
        if (std::find(known->second.begin(), known->second.end(), word) != known->second.end())
          continue;
        throw UsageError(fmt::format("{}: [{}] {}: unknown key{}", Place(path_, value.source()),
                                     section, word, DidYouMean(word, known->second)));
      }
    }
  }

  [[noreturn]] void Wrong(const toml::node& node, const std::string& key,
                          const std::string& expected) const {
    throw UsageError(fmt::format("{}: [{}] {}: expected {}, found {}", Place(path_, node.source()),
                                 section_, key, expected, Found(node)));
  }

 private:
  static std::string Range(const Limits& limits) {
    std::string text;
    if (std::isfinite(limits.low))
      text += fmt::format(" {} {}", limits.low_open ? "above" : "of at least", limits.low);
    if (std::isfinite(limits.high))
      text += fmt::format("{} at most {}", text.empty() ? "" : " and", limits.high);
    return text;
  }

  void CheckRange(const toml::node& node, const std::string& key, double value,
                  const Limits& limits, const std::string& kind) const {
    const bool low = limits.low_open ? value > limits.low : value >= limits.low;
    if (!low || !(value <= limits.high) || !std::isfinite(value))
      Wrong(node, key, kind + Range(limits));
  }

  void Read(const toml::node& node, const std::string& key, bool& member, const Limits&) const {
    if (!node.is_boolean()) Wrong(node, key, "true or false");
    member = node.as_boolean()->get();
  }
  void Read(const toml::node& node, const std::string& key, int64_t& member,
            const Limits& limits) const {
    if (!node.is_integer()) Wrong(node, key, "an integer" + Range(limits));
    member = node.as_integer()->get();
    CheckRange(node, key, static_cast<double>(member), limits, "an integer");
  }
  void Read(const toml::node& node, const std::string& key, uint64_t& member,
            const Limits& limits) const {
    int64_t value = 0;
    Read(node, key, value, limits);
    member = static_cast<uint64_t>(value);
  }
  void Read(const toml::node& node, const std::string& key, double& member,
            const Limits& limits) const {
    if (!node.is_number()) Wrong(node, key, "a number" + Range(limits));
    member = *node.value<double>();
    CheckRange(node, key, member, limits, "a number");
  }
  void Read(const toml::node& node, const std::string& key, std::optional<double>& member,
            const Limits& limits) const {
    double value = 0;
    Read(node, key, value, limits);
    member = value;
  }
  void Read(const toml::node& node, const std::string& key, std::string& member,
            const Limits& limits) const {
    const auto& words = limits.one_of;
    const std::string expected =
        words.empty() ? "a string" : fmt::format("one of \"{}\"", fmt::join(words, "\", \""));
    if (!node.is_string()) Wrong(node, key, expected);
    member = node.as_string()->get();
    if (words.empty() || std::find(words.begin(), words.end(), member) != words.end()) return;
    throw UsageError(fmt::format("{}: [{}] {}: expected {}, found {}{}",
                                 Place(path_, node.source()), section_, key, expected, Found(node),
                                 DidYouMean(member, words)));
  }
  void Read(const toml::node& node, const std::string& key, std::vector<std::string>& member,
            const Limits&) const {
    member.clear();
    if (node.is_string()) {  // one alone
      member.push_back(node.as_string()->get());
      return;
    }
    const toml::array* array = node.as_array();
    if (array == nullptr) Wrong(node, key, "a string or an array of strings");
    for (const auto& item : *array) {
      if (!item.is_string()) Wrong(item, key, "a string or an array of strings");
      member.push_back(item.as_string()->get());
    }
  }

  std::string path_, section_;
  const toml::table& root_;
  const toml::table* table_ = nullptr;
  std::map<std::string, std::vector<std::string>> known_;
};

std::string Quoted(const std::string& text) {
  std::ostringstream out;
  out << toml::value<std::string>(text);
  return out.str();
}

// A verifier of the user's own may have options of any name.
std::string Key(const std::string& name) {
  const bool bare = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c < 128 && std::isalnum(c) != 0) || c == '_' || c == '-';
  });
  return bare ? name : Quoted(name);
}

// Shortest text that reads back to the same bits and is a TOML float.
std::string Number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  std::string out(text, end);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

class Writer {
 public:
  void Section(const std::string& name) {
    text_ += fmt::format("{}[{}]\n", text_.empty() ? "" : "\n", name);
  }
  void Field(const std::string& key, const std::string& v, const Limits&) { Line(key, Quoted(v)); }
  void Field(const std::string& key, bool v, const Limits&) { Line(key, v ? "true" : "false"); }
  void Field(const std::string& key, int64_t v, const Limits&) { Line(key, fmt::format("{}", v)); }
  void Field(const std::string& key, uint64_t v, const Limits&) { Line(key, fmt::format("{}", v)); }
  void Field(const std::string& key, double v, const Limits&) { Line(key, Number(v)); }
  void Field(const std::string& key, const std::optional<double>& v, const Limits&) {
    if (v) Line(key, Number(*v));
  }
  void Field(const std::string& key, const std::vector<std::string>& v, const Limits&) {
    std::string items;
    for (const auto& item : v) items += (items.empty() ? "" : ", ") + Quoted(item);
    Line(key, "[" + items + "]");
  }
  void Line(const std::string& key, const std::string& value) {
    text_ += fmt::format("{} = {}\n", key, value);
  }
  std::string text() const { return text_; }

 private:
  std::string text_;
};

Json ToJson(const Reader& reader, const std::string& key, const toml::node& node) {
  if (node.is_string()) return node.as_string()->get();
  if (node.is_boolean()) return node.as_boolean()->get();
  if (node.is_integer()) return node.as_integer()->get();
  if (node.is_floating_point()) return node.as_floating_point()->get();
  if (const auto* array = node.as_array()) {
    Json json = Json::array();
    for (const auto& item : *array) json.push_back(ToJson(reader, key, item));
    return json;
  }
  reader.Wrong(node, key, "a string, number, boolean or array");
}

using OnError = RewardConfig::OnError;

const char* OnErrorName(OnError on_error) {
  return on_error == OnError::kMask ? "mask" : on_error == OnError::kZero ? "zero" : "stop";
}

OnError ReadOnError(Reader& reader, const std::string& word, const toml::node& value) {
  const auto choice = value.value<std::string>();
  for (const OnError on_error : {OnError::kMask, OnError::kZero, OnError::kStop}) {
    if (choice == OnErrorName(on_error)) return on_error;
  }
  reader.Wrong(value, word, "\"mask\", \"zero\" or \"stop\"");
}

// `key` is named in the error.
void CheckTemplate(const std::string& key, const std::string& text) {
  try {
    PromptTemplate{text};
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("{}: {}", key, error.what()));
  }
}

RewardConfig ReadReward(Reader& reader, const std::string& path, const toml::node& node) {
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    throw UsageError(fmt::format("{}: reward: expected tables [[reward]], found {}",
                                 Place(path, node.source()), Found(node)));
  }
  RewardConfig reward;
  for (const auto& [key, value] : *table) {
    const std::string word(key.str());
    if (word == "verifier" || word == "gate") {
      if (!value.is_string()) reader.Wrong(value, word, "a verifier's name");
      (word == "gate" ? reward.gate : reward.verifier) = value.as_string()->get();
    } else if (word == "weight") {
      if (!value.is_number()) reader.Wrong(value, word, "a number");
      reward.weight = *value.value<double>();
      if (!std::isfinite(reward.weight)) reader.Wrong(value, word, "a finite number");
    } else if (word == "gold_template") {
      if (!value.is_string()) reader.Wrong(value, word, "a text with {column}s in it");
      reward.gold_template = value.as_string()->get();
      CheckTemplate(Place(path, value.source()) + ": [[reward]] gold_template",
                    reward.gold_template);
    } else if (word == "min" || word == "max") {
      if (!value.is_number() || !std::isfinite(*value.value<double>())) {
        reader.Wrong(value, word, "a finite number");
      }
      (word == "min" ? reward.min : reward.max) = *value.value<double>();
    } else if (word == "on_error") {
      reward.on_error = ReadOnError(reader, word, value);
    } else {
      reward.options[word] = ToJson(reader, word, value);
    }
  }
  if (reward.verifier.empty()) {
    throw UsageError(fmt::format("{}: [[reward]] verifier: expected a verifier's name, found none",
                                 Place(path, node.source())));
  }
  if (reward.min > reward.max) {
    throw UsageError(fmt::format("{}: [[reward]] min: expected at most max ({}), found {}",
                                 Place(path, node.source()), reward.max, reward.min));
  }
  return reward;
}

void ReadRewards(Reader& reader, const std::string& path, const toml::table& root, RunConfig* run) {
  reader.Name("reward");
  const toml::node* node = root.get("reward");
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    throw UsageError(fmt::format("{}: reward: expected tables [[reward]], found {}",
                                 Place(path, node->source()), Found(*node)));
  }
  for (const auto& item : *array) {
    RewardConfig reward = ReadReward(reader, path, item);
    // Where the answer stands is said once, in [data]; a [[reward]] may still say otherwise.
    UseAnswerColumn(run->config.data.answer_column, &reward);
    try {
      run->verifiers.push_back(MakeVerifier(reward, run->config.run.seed));
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{}: [[reward]] {}", Place(path, item.source()), error.what()));
    }
    run->rewards.push_back(std::move(reward));
  }
  for (const auto& reward : run->rewards) {
    const auto named = [&](const RewardConfig& other) { return other.verifier == reward.gate; };
    if (!reward.gate.empty() && std::none_of(run->rewards.begin(), run->rewards.end(), named)) {
      throw UsageError(fmt::format(
          "{}: [[reward]] gate: expected the name of another [[reward]]'s verifier, found \"{}\"",
          Place(path, node->source()), reward.gate));
    }
  }
}

// Impossible combinations: each key alone is fine.
void CheckTogether(Command command, const std::string& path, const RunConfig& run) {
  const Config& c = run.config;
  const auto refuse = [&](const std::string& text) { throw UsageError(path + ": " + text); };
  if (c.policy.backend == "exact" && c.policy.device != "cpu") {
    refuse("[policy] device: expected \"cpu\" with backend \"exact\", found \"" + c.policy.device +
           "\"");
  }
  if (c.run.name.empty() || c.run.name.find('/') != std::string::npos || c.run.name == "." ||
      c.run.name == "..") {
    refuse("[run] name: expected a plain folder name, found \"" + c.run.name + "\"");
  }
  const bool replay = command == Command::kTrain && c.rollout.source == "replay";
  if (replay && c.rollout.replay.empty())
    refuse("[rollout] replay: expected a file with source \"replay\", found none");
  if (!replay && command == Command::kTrain && !c.rollout.replay.empty()) {
    refuse("[rollout] replay: expected source = \"replay\" beside it, found source = \"generate\"");
  }
  if (!replay && c.data.train.empty()) refuse("[data] train: expected a file, found none");
  CheckTemplate(path + ": [data] prompt_template", c.data.prompt_template);
  if (!replay && command == Command::kTrain && run.rewards.empty()) {
    refuse("[[reward]]: expected at least one verifier, found none");
  }
  if (!c.transport.bind.empty()) {
    CheckLocalAddress(path + ": [transport] bind", c.transport.bind);
  } else if (c.transport.reward_workers < 1) {
    refuse(
        "[transport] reward_workers: expected at least 1, or an address in bind at which others "
        "join, found 0");
  }
  if (c.algorithm.epsilon_high && *c.algorithm.epsilon_high < c.algorithm.epsilon) {
    refuse(fmt::format("[algorithm] epsilon_high: expected at least epsilon ({}), found {}",
                       c.algorithm.epsilon, *c.algorithm.epsilon_high));
  }
}

toml::table Parse(const std::string& text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    throw UsageError(fmt::format("{}:{}: expected TOML: {}", name, error.source().begin.line,
                                 error.description()));
  }
}

// "a.b=v" or "reward.0.key=v" into the parsed table.
void Override(toml::table& root, const std::string& text) {
  const auto equals = text.find('=');
  const auto dot = text.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot > equals || dot == 0 ||
      dot + 1 == equals) {
    throw UsageError(fmt::format("--set: expected section.key=value, found \"{}\"", text));
  }
  std::string section = text.substr(0, dot), key = text.substr(dot + 1, equals - dot - 1);
  const std::string value = text.substr(equals + 1);
  toml::table parsed;
  try {
    parsed = toml::parse("v = " + value, "--set " + text);
  } catch (const toml::parse_error&) {
    parsed.insert_or_assign("v", value);
  }
  toml::table* target = nullptr;
  if (section == "reward") {
    const auto second = key.find('.');
    size_t index = 0;
    const char* end = key.data() + std::min(second, key.size());
    const bool number =
        second != std::string::npos && std::from_chars(key.data(), end, index).ptr == end;
    toml::array* rewards = root["reward"].as_array();
    if (!number || rewards == nullptr || index >= rewards->size()) {
      throw UsageError(fmt::format(
          "--set: expected reward.N.key=value with N below the number of [[reward]] tables, "
          "found \"{}\"",
          text));
    }
    target = rewards->get(index)->as_table();
    key = key.substr(second + 1);
  } else {
    if (!root.contains(section)) root.insert_or_assign(section, toml::table{});
    target = root[section].as_table();
  }
  if (target == nullptr) throw UsageError(fmt::format("--set: {} is not a table", section));
  target->insert_or_assign(key, std::move(*parsed.get("v")));
}

}  // namespace

RunConfig LoadConfig(Command command, const std::filesystem::path& path,
                     const std::vector<std::string>& overrides) {
  const std::string name = path.string(), text = ReadFile(path);
  toml::table root = Parse(text, name);
  for (const auto& item : overrides) Override(root, item);
  RunConfig run;
  Reader reader(name, root);
  VisitConfig(command, run.config, reader);
  if (command == Command::kTrain) ReadRewards(reader, name, root, &run);
  reader.RefuseUnknown(command == Command::kTrain ? std::vector<std::string>{"reward"}
                                                  : std::vector<std::string>{});
  CheckTogether(command, name, run);
  return run;
}

RunConfig RewardsFromToml(const std::string& text, const std::string& name, uint64_t seed) {
  const toml::table root = Parse(text, name);
  RunConfig run;
  run.config.run.seed = seed;
  Reader reader(name, root);
  ReadRewards(reader, name, root, &run);
  reader.RefuseUnknown({"reward"});
  return run;
}

std::string ConfigToToml(Command command, const RunConfig& run) {
  Writer writer;
  Config config = run.config;
  VisitConfig(command, config, writer);
  return writer.text() + RewardsToToml(run.rewards);
}

std::string RewardsToToml(const std::vector<RewardConfig>& rewards) {
  std::string text;
  for (const auto& reward : rewards) {
    text += fmt::format("\n[[reward]]\nverifier = {}\nweight = {}\n", Quoted(reward.verifier),
                        Number(reward.weight));
    if (std::isfinite(reward.min)) text += fmt::format("min = {}\n", Number(reward.min));
    if (std::isfinite(reward.max)) text += fmt::format("max = {}\n", Number(reward.max));
    if (!reward.gate.empty()) text += fmt::format("gate = {}\n", Quoted(reward.gate));
    text += fmt::format("on_error = \"{}\"\n", OnErrorName(reward.on_error));
    if (!reward.gold_template.empty())
      text += fmt::format("gold_template = {}\n", Quoted(reward.gold_template));
    for (const auto& [key, value] : reward.options.items())
      text += fmt::format("{} = {}\n", Key(key), value.dump());
  }
  return text;
}

}  // namespace hone
