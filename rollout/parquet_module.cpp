#include "rollout/parquet_module.h"

#include "common/module.h"

namespace hone {

void ForEachParquetRow(const std::filesystem::path& path, const ParquetSink& sink) {
  static const auto reader = reinterpret_cast<ParquetReader>(
      LoadModule({.what = "the reader of Parquet files",
                  .file = "libhone_parquet.so",
                  .variable = "HONE_PARQUET_MODULE",
                  .entry = kParquetReader,
                  .remedy = "`make parquet` fetches Arrow and builds it"}));
  reader(&path, &sink);
}

}  // namespace hone
