#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "common/error.h"
#include "common/file.h"
#include "policy/files/gguf_model.h"
#include "policy/files/rounding.h"
#include "small_policy.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GgufTest : public ::testing::Test {
 protected:
  ~GgufTest() override { fs::remove(path_); }

  void WriteExample() {
    const GgufMetadata metadata = {{"a.text", std::string("té")},
                                   {"a.number", uint32_t{7}},
                                   {"a.float", 0.5f},
                                   {"a.yes", true},
                                   {"a.ids", std::vector<int32_t>{-1, 2}},
                                   {"a.scores", std::vector<float>{-1.5f, 0}},
                                   {"a.none", std::vector<std::string>{}},
                                   {"a.texts", std::vector<std::string>{"x", ""}}};
    const std::vector<GgufTensor> tensors = {{"bias", {3}, GgmlType::kF32, small_},
                                             {"w", {2, 32}, GgmlType::kQ8_0, large_},
                                             {"h", {2, 3}, GgmlType::kF16, six_, 2}};
    WriteGguf(path_, metadata, tensors);
    metadata_ = metadata;
  }
  std::string Refusal(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    try {
      GgufFile file(path_);
    } catch (const FileError& error) {
      return error.what();
    }
    return "accepted";
  }
  // The example with bytes of it replaced.
  std::string Replaced(const std::string& from, const std::string& to) {
    WriteExample();
    std::string bytes = ReadFile(path_);
    const size_t at = bytes.find(from);
    EXPECT_NE(at, std::string::npos);
    return Refusal(bytes.replace(at, from.size(), to));
  }

  fs::path path_ = fs::temp_directory_path() / ("hone_gguf_" + std::to_string(getpid()));
  std::vector<float> small_ = {1, 2, 3}, six_ = {1, 2, 3, 4, 5, 6}, large_ = std::vector<float>(64);
  GgufMetadata metadata_;
};

std::string Number32(uint32_t number) { return {reinterpret_cast<const char*>(&number), 4}; }
std::string Number64(uint64_t number) { return {reinterpret_cast<const char*>(&number), 8}; }

TEST_F(GgufTest, WhatIsWrittenReadsBack) {
  large_[0] = -12.7f;
  large_[1] = 0.05f;
  WriteExample();
  const GgufFile file(path_);
  EXPECT_EQ(file.metadata(), metadata_);
  ASSERT_EQ(file.entries().size(), 3u);
  EXPECT_THAT(file.entries().at("w").shape, ElementsAre(2, 32));
  EXPECT_EQ(file.entries().at("w").bytes.size(), 68u);
  std::vector<float> back(32), half(3);
  DecodeRow(GgmlType::kQ8_0, file.entries().at("w").bytes.data(), back);
  EXPECT_NEAR(back[0], -12.7f, 0.01f);
  EXPECT_NEAR(back[1], 0.1f, 0.01f);  // 0.05 is half a step: away from zero
  DecodeRow(GgmlType::kF16, file.entries().at("h").bytes.data(), half);
  EXPECT_THAT(half, ElementsAre(1, 2, 3));
}

TEST_F(GgufTest, EveryCutIsRefused) {
  WriteExample();
  const std::string bytes = ReadFile(path_);
  EXPECT_EQ(Refusal(bytes), "accepted");
  for (size_t size = 0; size < bytes.size(); ++size)
    ASSERT_NE(Refusal(bytes.substr(0, size)), "accepted") << size;
  EXPECT_THAT(Refusal(bytes + std::string(32, '\0')), HasSubstr("32 bytes of data follow"));
}

TEST_F(GgufTest, RefusesWhatItDoesNotWrite) {
  EXPECT_THAT(Replaced("GGUF", "GGML"), HasSubstr("begin with"));
  EXPECT_THAT(Replaced("GGUF" + Number32(3), "GGUF" + Number32(2)), HasSubstr("version 2"));
  EXPECT_THAT(Replaced(Number64(3) + Number64(8), Number64(~0ull) + Number64(8)),
              HasSubstr("18446744073709551615 tensors"));
  EXPECT_THAT(Replaced(Number64(3) + Number64(8), Number64(3) + Number64(1 << 30)),
              HasSubstr("1073741824 keys"));
}

TEST_F(GgufTest, RefusesKeysAndTensorsThatLie) {
  EXPECT_THAT(Replaced(Number64(5) + "a.ids" + Number32(9) + Number32(5) + Number64(2),
                       Number64(5) + "a.ids" + Number32(9) + Number32(5) + Number64(1ull << 60)),
              HasSubstr("numbers in an array"));
  EXPECT_THAT(Replaced(Number64(5) + "a.yes" + Number32(7) + "\1",
                       Number64(5) + "a.yes" + Number32(7) + "\2"),
              HasSubstr("a bool of value 2"));
  EXPECT_THAT(Replaced("a.yes", "a.ids"), HasSubstr("twice"));
  EXPECT_THAT(Replaced(Number64(32) + Number64(2), Number64(32) + Number64(3)),
              HasSubstr("tensor \"h\""));  // w would reach into h
  EXPECT_THAT(Replaced(Number64(32) + Number64(2), Number64(33) + Number64(2)),
              HasSubstr("no whole blocks"));
  EXPECT_THAT(Replaced(Number64(32) + Number64(2), Number64(1ull << 62) + Number64(8)),
              HasSubstr("too large"));
  EXPECT_THAT(Replaced(Number64(32) + Number64(2), Number64(0) + Number64(2)),
              HasSubstr("empty or too large"));
}

TEST(GgmlTypesTest, Q8RoundsToTheNearestMultiple) {
  std::vector<float> row(64), back(64);
  for (size_t i = 0; i < row.size(); ++i)
    row[i] = std::sin(static_cast<float>(i)) * (i < 32 ? 1.0f : 1000.0f);
  std::vector<std::byte> bytes(GgmlRowBytes(GgmlType::kQ8_0, 64));
  EXPECT_EQ(bytes.size(), 68u);
  EncodeRow(GgmlType::kQ8_0, row, bytes.data());
  DecodeRow(GgmlType::kQ8_0, bytes.data(), back);
  for (size_t i = 0; i < row.size(); ++i)  // half a step, and what F16 takes from the scale
    EXPECT_NEAR(back[i], row[i], (i < 32 ? 1.0f : 1000.0f) * (0.5f / 127 + 0x1p-11f)) << i;
  const std::vector<float> zeros(32, 0.0f);
  EncodeRow(GgmlType::kQ8_0, zeros, bytes.data());
  DecodeRow(GgmlType::kQ8_0, bytes.data(), std::span(back).first(32));
  EXPECT_EQ(std::memcmp(back.data(), zeros.data(), 128), 0);
}

TEST_F(GgufTest, WeightsComeBackInTheLayoutsOrder) {
  for (const char* architecture : {"LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3MoeForCausalLM"}) {
    const ModelFolder model = SmallPolicy(architecture);
    for (const GgmlType type : {GgmlType::kF32, GgmlType::kF16, GgmlType::kBf16, GgmlType::kQ8_0}) {
      const auto tensors = MakeGgufTensors(model.config, model.layout, model.weights->data, type);
      WriteGguf(path_, MakeGgufMetadata(model, type), tensors);
      const GgufFile file(path_);
      ThreadPool pool(2);
      const Buffer<float> rounded = RoundWeights(model.layout, tensors, &pool);
      const Buffer<float> read = ReadGgufWeights(file, model.config, model.layout);
      ASSERT_EQ(read.size(), rounded.size());
      EXPECT_EQ(std::memcmp(read.data(), rounded.data(), read.size() * sizeof(float)), 0);
      EXPECT_EQ(file.entries().at("output_norm.weight").type, GgmlType::kF32);
      EXPECT_EQ(file.entries().at("blk.0.attn_q.weight").type, type);
      EXPECT_EQ(file.entries().at("token_embd.weight").type, type);
    }
  }
}

TEST_F(GgufTest, LlamaRowsOfAHeadAreInterleaved) {
  const ModelFolder model = SmallPolicy("LlamaForCausalLM");
  const auto tensors =
      MakeGgufTensors(model.config, model.layout, model.weights->data, GgmlType::kF32);
  EXPECT_EQ(tensors[2].name, "blk.0.attn_q.weight");
  EXPECT_EQ(tensors[2].SourceRow(0), 0);
  EXPECT_EQ(tensors[2].SourceRow(1), 16);  // head_dim 32: the second half's first
  EXPECT_EQ(tensors[2].SourceRow(2), 1);
  EXPECT_EQ(tensors[2].SourceRow(33), 48);
  EXPECT_EQ(tensors[4].name, "blk.0.attn_v.weight");
  EXPECT_EQ(tensors[4].SourceRow(1), 1);
}

TEST(RoundingTest, NamesTheTensorThatDoesNotFit) {
  const ModelFolder model = SmallPolicy("LlamaForCausalLM");
  Buffer<float> data(model.weights->data.size());
  std::copy(model.weights->data.begin(), model.weights->data.end(), data.begin());
  const TensorSpec& spec = model.layout.tensors[3];
  ThreadPool pool(1);
  const auto refusal = [&](float value, FloatType type) -> std::string {
    data[static_cast<size_t>(spec.offset) + 5] = value;
    try {
      RoundWeights(model.layout, data.span(), type, &pool);
    } catch (const RunError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refusal(65519, FloatType::kF16), "accepted");
  EXPECT_THAT(refusal(65520, FloatType::kF16), HasSubstr(spec.name + ": holds 65520"));
  EXPECT_EQ(refusal(65520, FloatType::kBf16), "accepted");
  EXPECT_THAT(refusal(3.4e38f, FloatType::kBf16), HasSubstr("too large for BF16"));
  EXPECT_THAT(refusal(NAN, FloatType::kF32), HasSubstr("the policy is broken"));
}

}  // namespace
}  // namespace hone
