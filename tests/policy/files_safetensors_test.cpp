#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "common/error.h"
#include "policy/files/safetensors.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SafetensorsTest : public ::testing::Test {
 protected:
  ~SafetensorsTest() override { fs::remove(path_); }

  void WriteRaw(uint64_t length, const std::string& header, const std::string& data) {
    std::ofstream out(path_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), 8);
    out << header << data;
  }
  void Write(const std::string& header, size_t data_bytes) {
    WriteRaw(header.size(), header, std::string(data_bytes, '\0'));
  }

  std::string Refusal() {
    try {
      SafetensorsFile file(path_);
    } catch (const FileError& error) {
      return error.what();
    }
    return "accepted";
  }
  std::string Refusal(const std::string& header, size_t data_bytes) {
    Write(header, data_bytes);
    return Refusal();
  }

  fs::path path_ = fs::temp_directory_path() / ("hone_safetensors_" + std::to_string(getpid()));
};

TEST_F(SafetensorsTest, WhatIsWrittenReadsBack) {
  const std::vector<float> a = {1, -2.5f, 3e-40f, INFINITY, 5, 6}, b = {7};
  const std::vector<SafetensorsTensor> tensors = {
      {"z.weight", {2, 3}, a}, {"a \"quoted\" ü", {}, b}, {"empty", {0, 5}, {}}};
  WriteSafetensors(path_, tensors, {{"format", "pt"}});
  const SafetensorsFile file(path_);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  ASSERT_EQ(file.entries().size(), 3u);
  EXPECT_THAT(file.entries().at("z.weight").shape, ElementsAre(2, 3));
  EXPECT_TRUE(file.entries().at("a \"quoted\" ü").shape.empty());
  EXPECT_EQ(file.entries().at("empty").bytes.size(), 0u);
  std::vector<float> back(6);
  ReadFloats(file, "z.weight", back);
  EXPECT_EQ(std::memcmp(back.data(), a.data(), sizeof(float) * 6), 0);
  // The header is padded: data starts at a multiple of 8, in the order given.
  std::ifstream in(path_, std::ios::binary);
  uint64_t length = 0;
  in.read(reinterpret_cast<char*>(&length), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(fs::file_size(path_), 8 + length + 7 * sizeof(float));
}

TEST_F(SafetensorsTest, WidensHalfPrecision) {
  const std::string header =
      R"({"h":{"dtype":"F16","shape":[6],"data_offsets":[0,12]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]}})";
  const uint16_t values[] = {0x3C00, 0xC000, 0x0001, 0x7C00, 0x8000, 0x7BFF, 0x3F80, 0xC2F7};
  WriteRaw(header.size(), header,
           std::string(reinterpret_cast<const char*>(values), sizeof(values)));
  const SafetensorsFile file(path_);
  std::vector<float> half(6), brain(2);
  ReadFloats(file, "h", half);
  ReadFloats(file, "b", brain);
  EXPECT_THAT(half, ElementsAre(1.0f, -2.0f, 0x1p-24f, INFINITY, -0.0f, 65504.0f));
  EXPECT_TRUE(std::signbit(half[4]));
  EXPECT_THAT(brain, ElementsAre(1.0f, -123.5f));
}

TEST_F(SafetensorsTest, NarrowsToTheTypeAskedFor) {
  const std::vector<float> values = {1, -2.5f, 1.0009765625f, 65504, 0x1p-24f, -0.0f};
  const std::vector<SafetensorsTensor> tensors = {{"w", {6}, values}};
  for (const FloatType type : {FloatType::kF32, FloatType::kF16, FloatType::kBf16}) {
    WriteSafetensors(path_, tensors, {}, type);
    const SafetensorsFile file(path_);
    EXPECT_EQ(file.entries().at("w").dtype, FloatTypeName(type));
    std::vector<float> back(6);
    Hasher hasher;
    ReadFloats(file, "w", back, &hasher);
    EXPECT_EQ(hasher.Digest(), HashBytes(back.data(), 24));
    EXPECT_EQ(back[1], -2.5f);
    EXPECT_TRUE(std::signbit(back[5]));
    EXPECT_EQ(back[2], type == FloatType::kBf16 ? 1.0f : 1.0009765625f);
    EXPECT_EQ(back[3], type == FloatType::kBf16 ? 65536.0f : 65504.0f);
  }
}

TEST_F(SafetensorsTest, ReadFloatsRefusesOtherTypesAndCounts) {
  Write(
      R"({"i":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},"f":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
      12);
  const SafetensorsFile file(path_);
  std::vector<float> two(2);
  EXPECT_THROW(ReadFloats(file, "i", two), FileError);
  EXPECT_THROW(ReadFloats(file, "f", two), FileError);
  EXPECT_THROW(ReadFloats(file, "missing", two), FileError);
}

TEST_F(SafetensorsTest, RefusesBadLengths) {
  EXPECT_THAT(Refusal(), HasSubstr("cannot read"));
  std::ofstream(path_) << "short";
  EXPECT_THAT(Refusal(), HasSubstr("at least 8 bytes"));
  WriteRaw(100'000'001, "{}", "");
  EXPECT_THAT(Refusal(), HasSubstr("at most 100000000"));
  WriteRaw(~uint64_t{0}, "{}", "");
  EXPECT_THAT(Refusal(), HasSubstr("at most 100000000"));
  WriteRaw(3, "{}", "");
  EXPECT_THAT(Refusal(), HasSubstr("cut off"));
  WriteRaw(0, "", "");
  EXPECT_THAT(Refusal(), HasSubstr("does not begin with '{'"));
}

TEST_F(SafetensorsTest, RefusesHeadersThatAreNoObject) {
  EXPECT_THAT(Refusal("[]", 0), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(Refusal(" {}", 0), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(Refusal("{", 0), HasSubstr("expected JSON"));
  EXPECT_THAT(Refusal("{} x", 0), HasSubstr("expected JSON"));
  EXPECT_THAT(Refusal("{\"\xFF\":{}}", 0), HasSubstr("expected JSON"));
  EXPECT_THAT(Refusal(R"({"a":[]})", 0), HasSubstr("expected an object"));
  EXPECT_THAT(Refusal(R"({"a":1})", 0), HasSubstr("expected an object"));
  EXPECT_EQ(Refusal("{}   ", 0), "accepted");
  EXPECT_THAT(Refusal(R"({"a":{"x":)" + std::string(1'000'000, '['), 0),
              HasSubstr("nested deeper"));
}

TEST_F(SafetensorsTest, ANulIsNotTheEndOfTheHeader) {
  EXPECT_THAT(Refusal(std::string("{}\0\0", 4), 0), HasSubstr("byte 3 of the header"));
  EXPECT_THAT(Refusal(std::string("{\"\0\":{}}", 8), 0), HasSubstr("expected JSON"));
}

TEST_F(SafetensorsTest, AHeaderStaysNearItsOwnSizeInMemory) {
  std::string axes = R"({"a":{"dtype":"F32","shape":[1)", keys = R"({"__metadata__":{"k":"")";
  for (int i = 0; i < 70'000; ++i) {
    axes += ",1";
    keys += ",\"" + std::to_string(i) + "\":\"\"";
  }
  EXPECT_THAT(Refusal(axes + R"(],"data_offsets":[0,4]}})", 4), HasSubstr("more than 64 sizes"));
  EXPECT_THAT(Refusal(keys + "}}", 0), HasSubstr("more than 65536 keys"));
  const std::string name(1'000'000, 'n');
  EXPECT_LT(Refusal("{\"" + name + "\":7}", 0).size(), 1000u);
}

TEST_F(SafetensorsTest, RefusesEntriesThatAreNotWhatTheFormatSays) {
  const auto entry = [&](const std::string& inside) {
    return Refusal("{\"a\":{" + inside + "}}", 4);
  };
  EXPECT_EQ(entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), "accepted");
  EXPECT_EQ(
      entry(
          R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"note":{"x":[1,{"y":null}]},"more":-1.5)"),
      "accepted");
  EXPECT_THAT(entry(R"("dtype":"F32","shape":[1])"), HasSubstr("data_offsets is missing"));
  EXPECT_THAT(entry(R"("shape":[1],"data_offsets":[0,4])"), HasSubstr("dtype is missing"));
  EXPECT_THAT(entry(R"("dtype":"F32","data_offsets":[0,4])"), HasSubstr("shape is missing"));
  EXPECT_THAT(entry(R"("dtype":"F4","shape":[8],"data_offsets":[0,4])"),
              HasSubstr("dtype \"F4\" is not supported"));
  EXPECT_THAT(entry(R"("dtype":"Q8","shape":[4],"data_offsets":[0,4])"),
              HasSubstr("dtype \"Q8\" is not supported"));
  EXPECT_THAT(entry(R"("dtype":7,"shape":[1],"data_offsets":[0,4])"), HasSubstr("dtype is 7"));
  EXPECT_THAT(entry(R"("dtype":"F32","shape":1,"data_offsets":[0,4])"), HasSubstr("shape is 1"));
  for (const char* size : {"-1", "1.0", "1e0", "-0", "\"1\"", "null", "[1]", "99999999999999999999",
                           "9223372036854775808"}) {
    EXPECT_THAT(
        entry(std::string(R"("dtype":"F32","shape":[)") + size + R"(],"data_offsets":[0,4])"),
        HasSubstr("shape"))
        << size;
    EXPECT_NE(entry(std::string(R"("dtype":"F32","shape":[1],"data_offsets":[0,)") + size + "]"),
              "accepted")
        << size;
  }
  EXPECT_THAT(entry(R"("dtype":"F32","shape":[1],"data_offsets":[0])"),
              HasSubstr("has 1 numbers, expected 2"));
  EXPECT_THAT(entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,8])"),
              HasSubstr("has 3 numbers, expected 2"));
}

TEST_F(SafetensorsTest, RefusesRepeatedKeys) {
  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_THAT(Refusal("{" + a + "," + a + "}", 4), HasSubstr("\"a\" stands here twice"));
  EXPECT_THAT(Refusal(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
              HasSubstr("twice"));
  EXPECT_THAT(Refusal(R"({"__metadata__":{"k":"1","k":"2"}})", 0), HasSubstr("twice"));
  EXPECT_THAT(Refusal(R"({"__metadata__":{"k":1}})", 0), HasSubstr("expected a string"));
}

TEST_F(SafetensorsTest, TensorsMustTileTheData) {
  const auto two = [&](const std::string& first, const std::string& second, size_t bytes) {
    return Refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[)" + first +
                       R"(]},"b":{"dtype":"F32","shape":[1],"data_offsets":[)" + second + "]}}",
                   bytes);
  };
  EXPECT_EQ(two("0,4", "4,8", 8), "accepted");
  EXPECT_EQ(two("4,8", "0,4", 8), "accepted");
  EXPECT_THAT(two("0,4", "8,12", 12), HasSubstr("leave a hole"));
  EXPECT_THAT(two("4,8", "8,12", 12), HasSubstr("leave a hole"));
  EXPECT_THAT(two("0,4", "2,6", 8), HasSubstr("overlap"));
  EXPECT_THAT(two("0,4", "0,4", 8), HasSubstr("overlap"));
  EXPECT_THAT(two("0,4", "4,8", 9), HasSubstr("1 bytes of data follow"));
  EXPECT_THAT(two("0,4", "4,8", 7), HasSubstr("do not lie in"));
  EXPECT_THAT(two("0,4", "8,4", 8), HasSubstr("do not lie in"));
  EXPECT_THAT(two("0,4", "4,18446744073709551615", 8), HasSubstr("do not lie in"));
}

TEST_F(SafetensorsTest, ShapesMustGiveTheBytes) {
  const auto shape = [&](const std::string& sizes, size_t bytes) {
    return Refusal(R"({"a":{"dtype":"F32","shape":[)" + sizes + R"(],"data_offsets":[0,)" +
                       std::to_string(bytes) + "]}}",
                   bytes);
  };
  EXPECT_EQ(shape("2,3", 24), "accepted");
  EXPECT_EQ(shape("", 4), "accepted");
  EXPECT_EQ(shape("0,7", 0), "accepted");
  EXPECT_THAT(shape("2,3", 20), HasSubstr("give 20 bytes, F32 [2, 3] needs 24"));
  EXPECT_THAT(shape("4294967296,4294967296,4294967296", 24), HasSubstr("too large"));
  EXPECT_THAT(shape("4611686018427387904", 24), HasSubstr("too large"));  // × 4 overflows
  EXPECT_THAT(shape("4294967296,4294967297", 4),
              HasSubstr("too large"));  // wraps to a small product
}

TEST_F(SafetensorsTest, AMillionTensorsEndEarly) {
  std::string header = "{";
  for (int i = 0; i < 200'000; ++i) {
    header += (i > 0 ? ",\"" : "\"") + std::to_string(i) +
              R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  EXPECT_THAT(Refusal(header + "}", 0), HasSubstr("more than 131072 tensors"));
}

}  // namespace
}  // namespace hone
