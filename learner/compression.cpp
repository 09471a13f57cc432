#include "learner/compression.h"

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

std::string Decompress(std::string_view bytes, const std::filesystem::path& path) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx);
  std::string text, chunk(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  size_t left = bytes.empty() ? 0 : 1;  // 0: at the end of a frame
  while (in.pos < in.size || left != 0) {
    ZSTD_outBuffer out{chunk.data(), chunk.size(), 0};
    const size_t before = in.pos;
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) {
      throw FileError(path.string(), fmt::format("byte {}", in.pos),
                      fmt::format("expected zstd data: {}", ZSTD_getErrorName(left)));
    }
    text.append(chunk, 0, out.pos);
    if (in.pos == in.size && before == in.pos && out.pos == 0 && left != 0) {
      throw FileError(path.string(), fmt::format("byte {}", in.size),
                      "ends in the middle of a zstd frame");
    }
  }
  return text;
}

}  // namespace hone
