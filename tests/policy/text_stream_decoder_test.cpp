#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/json.h"
#include "policy/text/stream_decoder.h"
#include "policy/text/utf8.h"

namespace hone {
namespace {

using Ids = std::vector<int32_t>;

// Pieces that each decoder has something to say to.
std::shared_ptr<const Tokenizer> WithDecoder(const Json& decoder) {
  const std::vector<std::string> pieces = {
      "<unk>",  "▁",      "▁▁",     "▁the",   "a",  "##b", "c</w>", "<0xE2>",
      "<0x96>", "<0x81>", "<0x41>", "<0xF0>", "Ġ",  "æ",   "Ĺ",     "¥",
      "ðŁ",     " .",     "n't",    "x",      "▁a", " ",   "Ġthe",  "aa"};
  Json file = {{"model", {{"type", "WordPiece"}, {"unk_token", "<unk>"}}}, {"decoder", decoder}};
  for (size_t id = 0; id < pieces.size(); ++id) file["model"]["vocab"][pieces[id]] = id;
  file["added_tokens"] = {{{"id", 24}, {"content", "<|end|>"}, {"special", true}}};
  return Tokenizer::Parse(file.dump(), "decoder");
}

const std::vector<Json>& Decoders() {
  static const std::vector<Json> decoders = {
      nullptr,
      Json::parse(R"({"type":"ByteLevel"})"),
      Json::parse(R"({"type":"Metaspace","replacement":"▁"})"),
      Json::parse(R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"never"})"),
      Json::parse(R"({"type":"WordPiece","prefix":"##","cleanup":true})"),
      Json::parse(R"({"type":"BPEDecoder","suffix":"</w>"})"),
      Json::parse(R"({"type":"Sequence","decoders":[
          {"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
          {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]})"),
      Json::parse(R"({"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},
          {"type":"Strip","content":"a","start":2,"stop":3},
          {"type":"Metaspace","replacement":"▁"}]})"),
      Json::parse(R"({"type":"Sequence","decoders":[{"type":"ByteLevel"},
          {"type":"Replace","pattern":{"Regex":"a+"},"content":"-"},
          {"type":"WordPiece","prefix":"x","cleanup":true}]})"),
      Json::parse(R"({"type":"Sequence","decoders":[{"type":"Fuse"},
          {"type":"BPEDecoder","suffix":"a"},{"type":"ByteLevel"}]})"),
  };
  return decoders;
}

TEST(StreamDecoderTest, PiecesJoinedAreTheTextAndEachIsWholeCharacters) {
  std::mt19937 random(7);
  for (const Json& decoder : Decoders()) {
    const auto tokenizer = WithDecoder(decoder);
    for (int round = 0; round < 500; ++round) {
      Ids ids(random() % 12);
      for (int32_t& id : ids) id = static_cast<int32_t>(random() % 27);
      const bool skip = round % 2 == 0;
      StreamDecoder stream(tokenizer, skip);
      std::string joined;
      for (const int32_t id : ids) {
        const std::string piece = stream.Push(id);
        EXPECT_EQ(ReplaceInvalidUtf8(piece), piece);
        joined += piece;
      }
      joined += stream.Finish();
      ASSERT_EQ(joined, tokenizer->Decode(ids, skip)) << decoder << Json(ids);
    }
  }
}

TEST(StreamDecoderTest, ShowsACharacterWithItsLastByteAndNoSooner) {
  StreamDecoder bytes(WithDecoder(Decoders()[1]), false);
  EXPECT_EQ(bytes.Push(13), "");    // E6
  EXPECT_EQ(bytes.Push(14), "");    // 97
  EXPECT_EQ(bytes.Push(15), "日");  // A5
  EXPECT_EQ(bytes.Push(16), "");    // F0 9F, which nothing finishes
  EXPECT_EQ(bytes.Push(4), "\uFFFDa");
  EXPECT_EQ(bytes.Finish(), "");

  StreamDecoder pieces(WithDecoder(Decoders()[6]), false);
  EXPECT_EQ(pieces.Push(3), "the");  // the space at the start is stripped
  for (const int32_t byte : {7, 8, 9}) EXPECT_EQ(pieces.Push(byte), "");
  EXPECT_EQ(pieces.Push(4), "▁a");
  EXPECT_EQ(pieces.Push(7), "");
  EXPECT_EQ(pieces.Finish(), "\uFFFD");
}

TEST(StreamDecoderTest, BytesAreWhatATokenGivesWithinAText) {
  const auto bytes = [](size_t decoder, int32_t id) {
    const auto tokenizer = WithDecoder(Decoders()[decoder]);
    return std::string(tokenizer->Bytes(id));
  };
  EXPECT_EQ(bytes(1, 22), " the");  // ByteLevel
  EXPECT_EQ(bytes(1, 13), "\xE6");
  EXPECT_EQ(bytes(2, 3), " the");  // Metaspace
  EXPECT_EQ(bytes(6, 3), " the");  // SentencePiece, whose strip acts at the start alone
  EXPECT_EQ(bytes(6, 7), "\xE2");
  EXPECT_EQ(bytes(4, 5), "b");  // WordPiece
  EXPECT_EQ(bytes(4, 4), " a");
  EXPECT_EQ(bytes(5, 6), "c ");  // BPEDecoder
  EXPECT_EQ(bytes(1, 24), "<|end|>");
  EXPECT_EQ(bytes(1, 99), "");
}

TEST(StreamDecoderTest, RefusesNegativeIds) {
  StreamDecoder stream(WithDecoder(nullptr), false);
  EXPECT_THROW(stream.Push(-1), UsageError);
}

}  // namespace
}  // namespace hone
