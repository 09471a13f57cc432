#include "common/byte_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "common/compression.h"
#include "common/error.h"
#include "common/file.h"
#include "packed_bytes.h"

namespace hone {
namespace {
namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Gzip;
using ::testing::HasSubstr;

using Lines = std::vector<std::pair<int64_t, std::string>>;

struct ByteSourceTest : ::testing::Test {
  fs::path file = fs::temp_directory_path() / ("hone_bytes_test_" + std::to_string(::getpid()));
  void TearDown() override { fs::remove(file); }

  Lines Read(const std::string& bytes) {
    WriteFileAtomically(file, bytes);
    Lines lines;
    ForEachLine(file,
                [&](const std::string& line, int64_t number) { lines.emplace_back(number, line); });
    return lines;
  }

  std::string ErrorOf(const std::string& bytes) {
    try {
      Read(bytes);
    } catch (const FileError& error) {
      return error.what();
    }
    return "no FileError";
  }
};

const std::string kText = "one\n\ntwo\r\n \t\nthree";
const Lines kLines = {{1, "one"}, {3, "two"}, {5, "three"}};

TEST_F(ByteSourceTest, LinesEndWithOrWithoutACarriageReturnAndTheLastOneNeedsNone) {
  EXPECT_EQ(Read(kText), kLines);
  EXPECT_EQ(Read(kText + "\n"), kLines);
  EXPECT_EQ(Read(""), Lines());
  EXPECT_EQ(Read("\n\n"), Lines());
}

TEST_F(ByteSourceTest, GzipAndZstdAreUnpackedWhateverTheNameIs) {
  EXPECT_EQ(Read(Gzip(kText)), kLines);
  EXPECT_EQ(Read(Compress(kText)), kLines);
  EXPECT_EQ(Read(Gzip("")), Lines());
  EXPECT_EQ(Read(Compress("")), Lines());
}

TEST_F(ByteSourceTest, MembersAndFramesFollowOneAnother) {
  const std::string skipped("\x52\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
  for (size_t cut = 0; cut <= kText.size(); ++cut) {
    const std::string a = kText.substr(0, cut), b = kText.substr(cut);
    EXPECT_EQ(Read(Gzip(a) + Gzip(b)), kLines) << cut;
    EXPECT_EQ(Read(skipped + Compress(a) + skipped + Compress(b)), kLines) << cut;
  }
}

TEST_F(ByteSourceTest, ManyBytesComeWholeThroughSmallBuffers) {
  std::string text;
  Lines expected;
  for (int i = 1; i <= 40000; ++i) {
    expected.emplace_back(i, std::string(static_cast<size_t>(i % 97 + 1), 'x') + std::to_string(i));
    text += expected.back().second + "\n";
  }
  expected.emplace_back(40001, std::string(300000, 'y'));  // longer than any buffer
  text += expected.back().second;
  EXPECT_TRUE(Read(text) == expected);
  EXPECT_TRUE(Read(Gzip(text)) == expected);
  EXPECT_TRUE(Read(Compress(text)) == expected);
}

TEST_F(ByteSourceTest, DataCutAnywhereIsAnError) {
  for (const std::string& whole : {Gzip(kText), Compress(kText)}) {
    const bool zstd = whole[0] == '\x28';
    for (size_t size = 4; size < whole.size(); ++size) {
      EXPECT_THAT(ErrorOf(whole.substr(0, size)),
                  AllOf(HasSubstr("line "), HasSubstr("ends in the middle of"),
                        HasSubstr(zstd ? "zstd" : "gzip")))
          << size;
      EXPECT_THAT(ErrorOf(whole + whole.substr(0, size)), HasSubstr("ends in the middle of"));
    }
  }
}

TEST_F(ByteSourceTest, WhatFollowsTheDataIsAnErrorThatNamesItsByte) {
  const std::string gzip = Gzip(kText), zstd = Compress(kText);
  EXPECT_THAT(ErrorOf(gzip + "garbage"),
              HasSubstr("byte " + std::to_string(gzip.size()) + ": the gzip data ends here"));
  EXPECT_THAT(ErrorOf(zstd + "garbage"),
              HasSubstr("byte " + std::to_string(zstd.size()) + ": the zstd data ends here"));
}

TEST_F(ByteSourceTest, AFlippedByteIsFoundByTheChecksum) {
  for (std::string whole : {Gzip(kText), Compress(kText)}) {
    whole[whole.size() - 6] ^= 1;
    EXPECT_THAT(ErrorOf(whole), HasSubstr("damaged"));
  }
}

TEST_F(ByteSourceTest, AByteOrderMarkIsNoPartOfTheText) {
  EXPECT_EQ(Read("\xef\xbb\xbf" + kText), kLines);
  EXPECT_EQ(Read(Gzip("\xef\xbb\xbf" + kText)), kLines);
  EXPECT_THAT(ErrorOf(std::string("\xff\xfe{\0", 4)), HasSubstr("UTF-16"));
}

// 200 MB and more out of a few KB: refused at the bound, not unpacked into memory.
TEST_F(ByteSourceTest, ALineIsBoundedAndSoIsBlank) {
  const size_t size = kMaxLineBytes + 1;
  EXPECT_THAT(ErrorOf(Gzip("a\n" + std::string(size, 'x'))),
              AllOf(HasSubstr("line 2"), HasSubstr("at most 64 MiB in a line")));
  EXPECT_THAT(ErrorOf(Compress(std::string(size, 'x'))), HasSubstr("at most 64 MiB in a line"));
  EXPECT_THAT(ErrorOf(Compress(std::string(size, '\n'))), HasSubstr("nothing but blank"));
}

TEST_F(ByteSourceTest, AWindowBeyondTheLimitIsRefused) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 28);
  const std::string text(size_t{1} << 20, 'x');
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  ZSTD_outBuffer out{bytes.data(), bytes.size(), 0};
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  // In two calls, so that the frame's size is not known and its window is as asked.
  ZSTD_compressStream2(context, &out, &in, ZSTD_e_continue);
  ASSERT_EQ(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  bytes.resize(out.pos);
  EXPECT_THAT(ErrorOf(bytes), HasSubstr("too much memory"));
}

TEST_F(ByteSourceTest, MissingFilesAndFoldersAreNamed) {
  EXPECT_THROW(OpenBytes(file), FileError);
  EXPECT_THROW(OpenBytes(fs::temp_directory_path()), FileError);
}

TEST_F(ByteSourceTest, PeekShowsWithoutTaking) {
  WriteFileAtomically(file, "abcdef");
  const auto source = OpenBytes(file);
  EXPECT_EQ(source->Peek(2).substr(0, 2), "ab");
  source->Skip(4);
  EXPECT_EQ(source->Peek(100), "ef");
  EXPECT_EQ(source->offset(), 4u);
  source->Skip(2);
  EXPECT_EQ(source->Peek(), "");
}

}  // namespace
}  // namespace hone
