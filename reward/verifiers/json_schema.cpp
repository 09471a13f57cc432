// 1 when the answer is one JSON document that a JSON Schema (draft 7, by valijson) accepts. The
// schema is the option `schema`, or without it the column `schema_column` (an object, or a text of
// one). The keywords `pattern`, `patternProperties` and `format` are refused by name: the library
// matches them with std::regex, whose steps nothing bounds. So are references out of the schema. A
// document of more than 16 KiB, 64 levels or 1000 elements in one array cannot be decided.
#include <fmt/format.h>

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "common/error.h"
#include "reward/answer.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

constexpr size_t kMaxDocument = 16'384, kMaxArray = 1000;
constexpr int kMaxLevels = 64;

using Adapter = valijson::adapters::NlohmannJsonAdapter;

// What of a schema is refused; empty: nothing. A property may have any name, so keywords are looked
// for where schemas stand, and below "properties" a level further down.
std::string Refused(const Json& schema, bool properties, int level) {
  if (level > kMaxLevels) return "more than 64 levels";
  if (schema.is_array()) {
    for (const auto& item : schema) {
      if (auto refused = Refused(item, false, level + 1); !refused.empty()) return refused;
    }
  }
  if (!schema.is_object()) return {};
  for (const auto& [key, value] : schema.items()) {
    if (!properties) {
      if (key == "enum" || key == "const" || key == "default" || key == "examples") continue;
      if (key == "pattern" || key == "patternProperties" || key == "format")
        return fmt::format("the keyword \"{}\"", key);
      if (key == "$ref" && !(value.is_string() && value.get<std::string>().starts_with("#")))
        return "a reference out of the schema";
    }
    const bool below =
        !properties && (key == "properties" || key == "definitions" || key == "dependencies");
    if (auto refused = Refused(value, below, level + 1); !refused.empty()) return refused;
  }
  return {};
}

// Null, and `error` says why, for what is no schema here.
std::unique_ptr<valijson::Schema> ParseSchema(const Json& json, std::string* error) {
  if (!json.is_object()) {
    *error = fmt::format("expected a JSON Schema as an object, found {}", json.type_name());
    return nullptr;
  }
  if (const std::string refused = Refused(json, false, 0); !refused.empty()) {
    *error = fmt::format("expected a JSON Schema of the supported keywords, found {}", refused);
    return nullptr;
  }
  try {
    auto schema = std::make_unique<valijson::Schema>();
    valijson::SchemaParser parser;
    parser.populateSchema(Adapter(json), *schema);
    return schema;
  } catch (const std::exception& problem) {
    *error =
        fmt::format("expected a JSON Schema, found one that cannot be read: {}", problem.what());
    return nullptr;
  }
}

// Bounds that are looked at before anything is built: brackets outside of strings.
bool TooDeep(std::string_view text) {
  int level = 0;
  bool inside = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inside) {
      if (c == '\\') ++i;
      if (c == '"') inside = false;
    } else if (c == '"') {
      inside = true;
    } else if (c == '[' || c == '{') {
      if (++level > kMaxLevels) return true;
    } else if (c == ']' || c == '}') {
      --level;
    }
  }
  return false;
}

bool HasLongArray(const Json& json) {
  if (json.is_array() && json.size() > kMaxArray) return true;
  if (!json.is_structured()) return false;
  return std::any_of(json.begin(), json.end(), HasLongArray);
}

// A column is a schema, or the text of one. Text that goes too deep is no JSON.
Json SchemaOf(const Json& column) {
  if (!column.is_string()) return column;
  const auto& text = column.get_ref<const std::string&>();
  if (TooDeep(text)) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

// A document that the schema itself names; else nothing.
std::optional<Json> Example(const Json& schema) {
  if (!schema.is_object()) return std::nullopt;
  if (schema.contains("const")) return schema["const"];
  for (const char* key : {"examples", "enum"}) {
    if (schema.contains(key) && schema[key].is_array() && !schema[key].empty())
      return schema[key][0];
  }
  return std::nullopt;
}

class JsonSchemaVerifier : public Verifier {
 public:
  explicit JsonSchemaVerifier(const Json& options) {
    OptionReader reader(name(), options);
    const Json schema = reader.Object("schema");
    schema_column_ = reader.Text("schema_column", "schema");
    extract_ = ReadExtract(reader);
    reader.Finish();
    std::string error;
    if (!schema.empty() && !(schema_ = ParseSchema(schema, &error)))
      throw UsageError("json_schema: schema: " + error);
  }
  std::string name() const override { return "json_schema"; }
  // One schema for all lines says what an answer looks like; one of its own says what is right.
  bool judges_answers() const override { return schema_ == nullptr; }
  std::optional<std::string> GoldAnswer(const Json& columns) const override {
    const auto column = columns.find(schema_column_);
    if (column == columns.end()) return std::nullopt;
    const auto document = Example(SchemaOf(*column));
    return document ? std::optional(PlaceAnswer(Dump(*document), extract_)) : std::nullopt;
  }
  Verdict Score(const Sample& sample) const override {
    std::string error;
    std::unique_ptr<valijson::Schema> of_column;
    if (!schema_ && !(of_column = FromColumn(sample, &error))) return {.reward = 0, .error = error};
    const valijson::Schema& schema = schema_ ? *schema_ : *of_column;
    const auto answer = ExtractAnswer(sample.completion, extract_);
    if (sample.explanation)
      *sample.explanation = {{"extracted", answer ? std::string(answer->substr(0, 500)) : ""}};
    if (!answer) return Said(sample, "no answer", 0);
    if (answer->size() > kMaxDocument || TooDeep(*answer)) {
      return {.reward = 0,
              .error = fmt::format("cannot decide: the answer has more than {} bytes or {} levels",
                                   kMaxDocument, kMaxLevels)};
    }
    const Json document =
        Json::parse(answer->begin(), answer->end(), nullptr, /*allow_exceptions=*/false);
    if (document.is_discarded()) return Said(sample, "no JSON", 0);
    if (HasLongArray(document)) {
      return {.reward = 0,
              .error = fmt::format("cannot decide: an array has more than {} elements", kMaxArray)};
    }
    valijson::Validator validator;
    valijson::ValidationResults results;
    const bool valid = validator.validate(schema, Adapter(document), &results);
    valijson::ValidationResults::Error first;
    if (!valid && sample.explanation && results.popError(first))
      return Said(sample, first.description, 0);
    return Said(sample, valid ? "valid" : "not valid", valid ? 1 : 0);
  }

 private:
  static Verdict Said(const Sample& sample, const std::string& why, double reward) {
    if (sample.explanation) (*sample.explanation)["why"] = why;
    return {.reward = reward, .error = {}};
  }

  std::unique_ptr<valijson::Schema> FromColumn(const Sample& sample, std::string* error) const {
    if (!sample.columns.is_object() || !sample.columns.contains(schema_column_)) {
      *error =
          fmt::format("expected a column \"{}\" with a JSON Schema, found none", schema_column_);
      return nullptr;
    }
    const Json& column = sample.columns[schema_column_];
    return ParseSchema(SchemaOf(column), error);
  }

  std::string schema_column_;
  Extract extract_;
  std::unique_ptr<valijson::Schema> schema_;
};

}  // namespace

std::unique_ptr<Verifier> MakeJsonSchemaVerifier(const Json& options) {
  return std::make_unique<JsonSchemaVerifier>(options);
}

}  // namespace hone
