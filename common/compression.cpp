#include "common/compression.h"

#include <fmt/format.h>
#include <zstd.h>

#include <memory>

#include "common/error.h"

namespace hone {

std::string Compress(std::string_view text) {
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(),
                                                                   ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, 3);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  const size_t size =
      ZSTD_compress2(context.get(), bytes.data(), bytes.size(), text.data(), text.size());
  if (ZSTD_isError(size))
    throw RunError(fmt::format("cannot compress: {}", ZSTD_getErrorName(size)));
  bytes.resize(size);
  return bytes;
}

}  // namespace hone
