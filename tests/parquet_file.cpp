#include "parquet_file.h"

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/json/api.h>
#include <parquet/arrow/writer.h>

#include <stdexcept>

namespace hone::testing {
namespace {

void Check(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}
template <class T>
T Take(arrow::Result<T> result) {
  Check(result.status());
  return std::move(result).ValueUnsafe();
}

}  // namespace

void WriteParquet(const std::filesystem::path& path, const std::string& json_lines,
                  int64_t rows_per_group) {
  const auto in = std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(json_lines));
  auto read = arrow::json::ReadOptions::Defaults();
  read.use_threads = false;
  auto parse = arrow::json::ParseOptions::Defaults();
  parse.newlines_in_values = true;
  const auto reader =
      Take(arrow::json::TableReader::Make(arrow::default_memory_pool(), in, read, parse));
  const auto table = Take(reader->Read());
  const auto out = Take(arrow::io::FileOutputStream::Open(path.string()));
  Check(parquet::arrow::WriteTable(
      *table, arrow::default_memory_pool(), out, rows_per_group,
      parquet::WriterProperties::Builder().compression(arrow::Compression::SNAPPY)->build()));
  Check(out->Close());
}

}  // namespace hone::testing
