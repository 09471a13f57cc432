// The module behind rollout/parquet_module.h: Arrow's columns as JSON objects, row by row. The only
// source that includes Arrow.
#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>

#include <charconv>
#include <cmath>

#include "common/error.h"
#include "common/file.h"
#include "rollout/parquet_module.h"

namespace hone {
namespace {

constexpr int64_t kRowsPerBatch = 256;
constexpr int kMaxLevels = 32;  // of lists and structs in a column

// Whether JSON has a place for all of a column's values.
bool HasJson(const arrow::DataType& type, int levels = 0) {
  if (levels > kMaxLevels) return false;
  switch (type.id()) {
    case arrow::Type::NA:
    case arrow::Type::BOOL:
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
    case arrow::Type::UINT64:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
    case arrow::Type::TIMESTAMP:
      return true;
    case arrow::Type::DICTIONARY:
      return HasJson(*static_cast<const arrow::DictionaryType&>(type).value_type(), levels + 1);
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
    case arrow::Type::MAP:  // a list of {key, value}
    case arrow::Type::STRUCT:
      for (const auto& field : type.fields()) {
        if (!HasJson(*field->type(), levels + 1)) return false;
      }
      return true;
    default:
      return false;
  }
}

// Bytes that are no UTF-8 stay what they are: the JSON's reader names them.
void AppendText(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      *out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      *out += c;
    }
  }
  *out += '"';
}

// JSON knows no infinities and no NaN.
template <class T>
void AppendFloat(T value, std::string* out) {
  if (!std::isfinite(value)) {
    *out += "null";
    return;
  }
  char text[32];
  const std::string_view number(text, std::to_chars(text, text + sizeof(text), value).ptr - text);
  *out += number;
  if (number.find_first_of(".e") == std::string_view::npos) *out += ".0";
}

void AppendValue(const arrow::Array& array, int64_t i, std::string* out);

template <class List>
void AppendList(const arrow::Array& array, int64_t i, std::string* out) {
  const auto& list = static_cast<const List&>(array);
  *out += '[';
  const int64_t first = list.value_offset(i);
  for (int64_t k = 0; k < list.value_length(i); ++k) {
    if (k > 0) *out += ',';
    AppendValue(*list.values(), first + k, out);
    if (out->size() > kMaxLineBytes) return;  // refused when the row is done
  }
  *out += ']';
}

void AppendStruct(const arrow::StructArray& array, int64_t i, std::string* out) {
  *out += '{';
  for (int k = 0; k < array.num_fields(); ++k) {
    if (k > 0) *out += ',';
    AppendText(array.type()->field(k)->name(), out);
    *out += ':';
    AppendValue(*array.field(k), i, out);
  }
  *out += '}';
}

template <class Array>
void AppendNumber(const arrow::Array& array, int64_t i, std::string* out) {
  const auto value = static_cast<const Array&>(array).Value(i);
  if constexpr (std::is_floating_point_v<decltype(value)>) {
    AppendFloat(value, out);
  } else {
    fmt::format_to(std::back_inserter(*out), "{}", +value);
  }
}

void AppendValue(const arrow::Array& array, int64_t i, std::string* out) {
  if (array.IsNull(i)) {
    *out += "null";
    return;
  }
  switch (array.type_id()) {
    case arrow::Type::NA:
      *out += "null";
      return;
    case arrow::Type::BOOL:
      *out += static_cast<const arrow::BooleanArray&>(array).Value(i) ? "true" : "false";
      return;
    case arrow::Type::INT8:
      return AppendNumber<arrow::Int8Array>(array, i, out);
    case arrow::Type::INT16:
      return AppendNumber<arrow::Int16Array>(array, i, out);
    case arrow::Type::INT32:
      return AppendNumber<arrow::Int32Array>(array, i, out);
    case arrow::Type::INT64:
      return AppendNumber<arrow::Int64Array>(array, i, out);
    case arrow::Type::UINT8:
      return AppendNumber<arrow::UInt8Array>(array, i, out);
    case arrow::Type::UINT16:
      return AppendNumber<arrow::UInt16Array>(array, i, out);
    case arrow::Type::UINT32:
      return AppendNumber<arrow::UInt32Array>(array, i, out);
    case arrow::Type::UINT64:
      return AppendNumber<arrow::UInt64Array>(array, i, out);
    case arrow::Type::FLOAT:
      return AppendNumber<arrow::FloatArray>(array, i, out);
    case arrow::Type::DOUBLE:
      return AppendNumber<arrow::DoubleArray>(array, i, out);
    case arrow::Type::STRING:
      return AppendText(static_cast<const arrow::StringArray&>(array).GetView(i), out);
    case arrow::Type::LARGE_STRING:
      return AppendText(static_cast<const arrow::LargeStringArray&>(array).GetView(i), out);
    case arrow::Type::DECIMAL128:
      *out += static_cast<const arrow::Decimal128Array&>(array).FormatValue(i);
      return;
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      return AppendValue(*coded.dictionary(), coded.GetValueIndex(i), out);
    }
    case arrow::Type::LIST:
    case arrow::Type::MAP:
      return AppendList<arrow::ListArray>(array, i, out);
    case arrow::Type::LARGE_LIST:
      return AppendList<arrow::LargeListArray>(array, i, out);
    case arrow::Type::FIXED_SIZE_LIST:
      return AppendList<arrow::FixedSizeListArray>(array, i, out);
    case arrow::Type::STRUCT:
      return AppendStruct(static_cast<const arrow::StructArray&>(array), i, out);
    default:  // dates and times, by HasJson
      AppendText(array.GetScalar(i).ValueOrDie()->ToString(), out);
  }
}

class Rows {
 public:
  explicit Rows(const std::filesystem::path& path) : path_(path.string()) {
    Guarded([&] {
      auto file = Take(arrow::io::ReadableFile::Open(path_, &pool_));
      parquet::ReaderProperties properties(&pool_);
      properties.enable_buffered_stream();  // pages as they are needed, not whole row groups
      properties.set_page_checksum_verification(true);
      parquet::arrow::FileReaderBuilder builder;
      Check(builder.Open(std::move(file), properties));
      parquet::ArrowReaderProperties arrow_properties(/*use_threads=*/false);
      arrow_properties.set_batch_size(kRowsPerBatch);
      arrow_properties.set_pre_buffer(false);
      Check(builder.memory_pool(&pool_)->properties(arrow_properties)->Build(&reader_));
    });
  }

  // Which columns are read is decided here.
  void Open(const ParquetSink& sink) {
    std::shared_ptr<arrow::Schema> schema;
    Guarded([&] { Check(reader_->GetSchema(&schema)); });
    std::vector<int> leaves;
    const auto& manifest = reader_->manifest();
    for (size_t i = 0; i < manifest.schema_fields.size(); ++i) {
      const arrow::Field& field = *schema->field(static_cast<int>(i));
      if (HasJson(*field.type())) {
        AddLeaves(manifest.schema_fields[i], &leaves);
      } else {
        sink.left_out(field.name(), field.type()->ToString());
      }
    }
    if (leaves.empty()) throw FileError(path_, "", "expected Parquet columns of text or numbers");
    Guarded([&] {
      std::vector<int> groups(static_cast<size_t>(reader_->num_row_groups()));
      for (size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<int>(i);
      batches_ = Take(reader_->GetRecordBatchReader(groups, leaves));
    });
  }

  // Null at the end.
  std::shared_ptr<arrow::RecordBatch> Next() {
    std::shared_ptr<arrow::RecordBatch> batch;
    Guarded([&] {
      Check(batches_->ReadNext(&batch));
      if (batch != nullptr) Check(batch->Validate());
    });
    return batch;
  }

 private:
  static void AddLeaves(const parquet::arrow::SchemaField& field, std::vector<int>* leaves) {
    if (field.is_leaf()) leaves->push_back(field.column_index);
    for (const auto& child : field.children) AddLeaves(child, leaves);
  }
  void Check(const arrow::Status& status) const {
    if (status.IsOutOfMemory()) {
      throw FileError(path_, "",
                      fmt::format("needs more than {} GiB to be read", kParquetMemoryBytes >> 30));
    }
    if (!status.ok()) {
      throw FileError(path_, "", "expected a whole Parquet file: " + status.ToString());
    }
  }
  template <class T>
  T Take(arrow::Result<T> result) const {
    Check(result.status());
    return std::move(result).ValueUnsafe();
  }
  // Parquet's own errors are exceptions of many kinds.
  template <class Body>
  void Guarded(const Body& body) const {
    try {
      body();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw FileError(path_, "", std::string("expected a whole Parquet file: ") + error.what());
    }
  }

  std::string path_;
  arrow::CappedMemoryPool pool_{arrow::system_memory_pool(), kParquetMemoryBytes};
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
};

}  // namespace
}  // namespace hone

extern "C" void hone_for_each_parquet_row(const std::filesystem::path* path,
                                          const hone::ParquetSink* sink) {
  hone::Rows rows(*path);
  rows.Open(*sink);
  std::string text;
  int64_t number = 0;
  while (const auto batch = rows.Next()) {
    for (int64_t i = 0; i < batch->num_rows(); ++i) {
      ++number;
      text = "{";
      for (int column = 0; column < batch->num_columns(); ++column) {
        if (column > 0) text += ',';
        hone::AppendText(batch->schema()->field(column)->name(), &text);
        text += ':';
        hone::AppendValue(*batch->column(column), i, &text);
      }
      text += '}';
      if (text.size() > hone::kMaxLineBytes) {
        throw hone::FileError(
            path->string(), fmt::format("row {}", number),
            fmt::format("expected at most {} MiB in a row", hone::kMaxLineBytes >> 20));
      }
      sink->row(text, number);
    }
  }
}
