#include "common/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/error.h"

namespace hone {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 16;

class FileBytes : public ByteSource {
 public:
  explicit FileBytes(int fd) : fd_(fd) {}
  ~FileBytes() override {
    if (fd_ != STDIN_FILENO) ::close(fd_);
  }

 protected:
  size_t Read(char* to, size_t size) override {
    while (true) {
      const ssize_t got = ::read(fd_, to, size);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) throw DamagedBytes(fmt::format("cannot read: {}", std::strerror(errno)));
    }
  }

 private:
  int fd_;
};

// RFC 1952: one or more members, one after the other.
class GzipBytes : public ByteSource {
 public:
  explicit GzipBytes(std::unique_ptr<ByteSource> packed) : packed_(std::move(packed)) {
    if (::inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) throw RunError("zlib: cannot start");
  }
  ~GzipBytes() override { ::inflateEnd(&stream_); }

  static bool Starts(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

 protected:
  size_t Read(char* to, size_t size) override {
    while (true) {
      const std::string_view in = packed_->Peek(2);
      if (ended_) {
        if (in.empty()) return 0;
        if (!Starts(in)) {
          throw DamagedBytes(fmt::format(
              "byte {}: the gzip data ends here, and something else follows", packed_->offset()));
        }
        ::inflateReset(&stream_);
        ended_ = false;
      }
      if (in.empty()) {
        throw DamagedBytes(
            fmt::format("byte {}: the file ends in the middle of gzip data", packed_->offset()));
      }
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
      stream_.avail_in = static_cast<uInt>(in.size());
      stream_.next_out = reinterpret_cast<Bytef*>(to);
      stream_.avail_out = static_cast<uInt>(size);
      const int result = ::inflate(&stream_, Z_NO_FLUSH);
      packed_->Skip(in.size() - stream_.avail_in);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        throw DamagedBytes(fmt::format("byte {}: damaged gzip data: {}", packed_->offset(),
                                       stream_.msg == nullptr ? "unreadable" : stream_.msg));
      }
      ended_ = result == Z_STREAM_END;
      if (stream_.avail_out < size) return size - stream_.avail_out;
    }
  }

 private:
  std::unique_ptr<ByteSource> packed_;
  z_stream stream_{};
  bool ended_ = false;
};

// RFC 8878: one or more frames, those to be skipped among them.
class ZstdBytes : public ByteSource {
 public:
  explicit ZstdBytes(std::unique_ptr<ByteSource> packed)
      : packed_(std::move(packed)), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
    if (context_ == nullptr) throw RunError("zstd: cannot start");
  }

  static bool Starts(std::string_view bytes) {
    if (bytes.size() < 4) return false;
    return bytes.starts_with("\x28\xb5\x2f\xfd") ||
           ((bytes[0] & 0xf0) == 0x50 && bytes.substr(1, 3) == "\x2a\x4d\x18");
  }

 protected:
  size_t Read(char* to, size_t size) override {
    while (true) {
      const std::string_view bytes = packed_->Peek(4);
      if (ended_) {
        if (bytes.empty()) return 0;
        if (!Starts(bytes)) {
          throw DamagedBytes(fmt::format(
              "byte {}: the zstd data ends here, and something else follows", packed_->offset()));
        }
        ended_ = false;
      }
      ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
      ZSTD_outBuffer out{to, size, 0};
      const size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
      packed_->Skip(in.pos);
      if (ZSTD_isError(left)) {
        throw DamagedBytes(fmt::format("byte {}: damaged zstd data: {}", packed_->offset(),
                                       ZSTD_getErrorName(left)));
      }
      ended_ = left == 0;
      if (out.pos > 0) return out.pos;
      if (bytes.empty() && !ended_) {
        throw DamagedBytes(
            fmt::format("byte {}: the file ends in the middle of zstd data", packed_->offset()));
      }
    }
  }

 private:
  std::unique_ptr<ByteSource> packed_;
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context_;
  bool ended_ = false;
};

std::unique_ptr<ByteSource> Decompressed(std::unique_ptr<ByteSource> bytes) {
  const std::string_view start = bytes->Peek(4);
  if (GzipBytes::Starts(start)) return std::make_unique<GzipBytes>(std::move(bytes));
  if (ZstdBytes::Starts(start)) return std::make_unique<ZstdBytes>(std::move(bytes));
  return bytes;
}

}  // namespace

std::string_view ByteSource::Peek(size_t least) {
  least = std::min(least, kMostPeeked);
  if (end_ - begin_ >= least) return {buffer_.data() + begin_, end_ - begin_};
  buffer_.resize(kBufferBytes);
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  while (end_ < least) {
    const size_t got = Read(buffer_.data() + end_, buffer_.size() - end_);
    if (got == 0) break;
    end_ += got;
  }
  return {buffer_.data(), end_};
}

void ByteSource::Skip(size_t count) {
  begin_ += std::min(count, end_ - begin_);
  offset_ += count;
}

std::unique_ptr<ByteSource> OpenBytes(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    throw FileError(path.string(), "", fmt::format("cannot read: {}", std::strerror(errno)));
  try {
    return Decompressed(std::make_unique<FileBytes>(fd));
  } catch (const DamagedBytes& error) {  // such as a folder
    throw FileError(path.string(), "", error.what());
  }
}

std::unique_ptr<ByteSource> StandardInput() {
  return Decompressed(std::make_unique<FileBytes>(STDIN_FILENO));
}

}  // namespace hone
