// Models and steps other than byte-level BPE, through the door that a file comes in by. What they
// agree on with Hugging Face over many texts: tests/parity/tokenizer_parity.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "common/error.h"
#include "common/json.h"
#include "policy/text/tokenizer.h"

namespace hone {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<int32_t>;

std::shared_ptr<const Tokenizer> Parse(const Json& json) {
  return Tokenizer::Parse(json.dump(), "tokenizer.json");
}

Ids Encode(const Json& json, std::string_view text) { return Parse(json)->Encode(text); }

std::string Refusal(const Json& json) {
  try {
    Parse(json);
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}

// Llama 2's shape: 256 byte tokens at 3, then "▁" 259, "a" 260, "b" 261, "ab" 262, "▁ab" 263.
Json Llama2() {
  Json json = Json::parse(R"({"normalizer":{"type":"Sequence","normalizers":[
      {"type":"Prepend","prepend":"▁"},
      {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
    "decoder":{"type":"Sequence","decoders":[
      {"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
      {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
    "model":{"type":"BPE","unk_token":"<unk>","byte_fallback":true,"fuse_unk":true,
      "vocab":{"<unk>":0,"<s>":1,"</s>":2},"merges":[["a","b"],["▁","ab"]]},
    "added_tokens":[{"id":1,"content":"<s>","special":true,"normalized":false}]})");
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    json["model"]["vocab"][name] = 3 + byte;
  }
  int id = 259;
  for (const char* piece : {"▁", "a", "b", "ab", "▁ab"}) json["model"]["vocab"][piece] = id++;
  return json;
}

TEST(TextModelsTest, BytesStandForWhatTheVocabularyLacks) {
  const auto tokenizer = Parse(Llama2());
  EXPECT_THAT(tokenizer->Encode("ab é"), ElementsAre(263, 259, 3 + 0xC3, 3 + 0xA9));
  EXPECT_THAT(tokenizer->Encode("<s>ab"), ElementsAre(1, 263));
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("ab é")), "ab é");
  EXPECT_EQ(tokenizer->Bytes(263), " ab");
  EXPECT_EQ(tokenizer->Bytes(3 + 0xC3), "\xC3");
}

TEST(TextModelsTest, UnknownFusesAndComesAfterBytes) {
  Json json = Llama2();
  json["normalizer"] = nullptr;
  json["model"]["vocab"].erase("<0xC3>");  // é has no bytes now, ü neither, but 日 has
  const Ids day = {3 + 0xE6, 3 + 0x97, 3 + 0xA5};
  EXPECT_THAT(Encode(json, "aéüa"), ElementsAre(260, 0, 260));
  EXPECT_THAT(Encode(json, "é日a"), ElementsAre(day[0], day[1], day[2], 0, 260));
  json["model"]["fuse_unk"] = false;
  EXPECT_THAT(Encode(json, "aéüa"), ElementsAre(260, 0, 0, 260));
  json["model"]["unk_token"] = "<none>";
  EXPECT_THROW(Encode(json, "é"), RunError);
  json["model"]["unk_token"] = nullptr;
  EXPECT_THAT(Encode(json, "aéb"), ElementsAre(262));  // dropped, and its neighbours meet
}

TEST(TextModelsTest, ASpaceGoesBeforeTheTextAsTheSchemeSays) {
  const auto encode = [](const char* scheme, std::string_view text) {
    Json json = Llama2();
    json["normalizer"] = nullptr;
    json["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", false}};
    return Encode(json, text);
  };
  EXPECT_THAT(encode("first", "ab<s>ab"), ElementsAre(263, 1, 262));
  EXPECT_THAT(encode("always", "ab<s>ab"), ElementsAre(263, 1, 263));
  EXPECT_THAT(encode("never", "ab<s>ab"), ElementsAre(262, 1, 262));
  EXPECT_THAT(encode("first", " ab"), ElementsAre(263));
}

TEST(TextModelsTest, UnigramTakesTheLikeliestPieces) {
  const Json json = Json::parse(R"({"model":{"type":"Unigram","unk_id":0,"vocab":[
      ["<unk>",0.0],["a",-1.0],["b",-1.0],["ab",-1.5],["abb",-9.0],["bb",-1.1]]}})");
  EXPECT_THAT(Encode(json, "abb"), ElementsAre(1, 5));
  EXPECT_THAT(Encode(json, "ab"), ElementsAre(3));
  EXPECT_THAT(Encode(json, "aéüb"), ElementsAre(1, 0, 2));
  Json without = json;
  without["model"].erase("unk_id");
  EXPECT_THROW(Encode(without, "é"), RunError);
}

TEST(TextModelsTest, WordPieceTakesTheLongestPieces) {
  Json json = Json::parse(R"({"normalizer":{"type":"BertNormalizer"},
      "pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece"},
      "model":{"type":"WordPiece","unk_token":"[UNK]","max_input_chars_per_word":6,"vocab":
      {"[UNK]":0,"un":1,"##aff":2,"##able":3,"##a":4,".":5,"e":6,"東":7}}})");
  EXPECT_THAT(Encode(json, "UnAff É.東"), ElementsAre(1, 2, 6, 5, 7));
  EXPECT_THAT(Encode(json, "unaffable unx"), ElementsAre(0, 0));
  EXPECT_EQ(Parse(json)->Decode(Ids{1, 2, 5, 6}), "unaff. e");
}

TEST(TextModelsTest, NormalizersRewriteInOrder) {
  const auto encode = [](const char* steps, std::string_view text) {
    Json json = Json::parse(R"({"model":{"type":"WordPiece","unk_token":"?","vocab":
        {"?":0,"abc":1,"e":2,"xy":3,"a bc":4}}})");
    json["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::parse(steps)}};
    return Encode(json, text);
  };
  EXPECT_THAT(encode(R"([{"type":"Lowercase"}])", "ABC"), ElementsAre(1));
  EXPECT_THAT(encode(R"([{"type":"NFD"},{"type":"StripAccents"}])", "é"), ElementsAre(2));
  EXPECT_THAT(encode(R"([{"type":"NFKC"},{"type":"Strip","strip_left":true,"strip_right":true}])",
                     " ａbc\u3000"),
              ElementsAre(1));
  EXPECT_THAT(encode(R"([{"type":"Replace","pattern":{"Regex":"z+"},"content":"xy"}])", "zzz"),
              ElementsAre(3));
}

TEST(TextModelsTest, ALongWordIsCutOnlyWhereNoMergeReaches) {
  std::string text;
  for (int i = 0; i < 12; ++i) text += "ab";
  Ids expected(12, 262);
  expected[0] = 263;
  EXPECT_EQ(Encode(Llama2(), text), expected);
}

TEST(TextModelsTest, LongTextsWithoutWordsTakeAMoment) {
  Json json = Llama2();
  for (const char* pieces : {"a a", "aa aa", "aaaa aaaa"}) {
    json["model"]["merges"].push_back(pieces);
    std::string merged = pieces;
    merged.erase(merged.find(' '), 1);
    json["model"]["vocab"][merged] = json["model"]["vocab"].size();
  }
  for (Json& merge : json["model"]["merges"]) {
    if (merge.is_string()) {
      const std::string text = merge;
      merge = {text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)};
    }
  }
  const auto tokenizer = Parse(json);
  const auto start = std::chrono::steady_clock::now();
  for (const char* unit : {"a", " ", "é", "ab ", "\u0301"}) {
    std::string text;
    while (text.size() < (1 << 20)) text += unit;
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text)), text);
  }
  // A second or two in a release build; quadratic work takes hours.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(120));
}

TEST(TextModelsTest, MarksOutOfOrderTakeAMoment) {
  Json json = Llama2();
  json["normalizer"] = {{"type", "NFC"}};
  std::string text = "a";
  for (int i = 0; i < 200000; ++i) text += i % 2 == 0 ? "\u0301" : "\u0323";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_GT(Encode(json, text).size(), 200000u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(TextModelsTest, ManyThreadsGetTheSameIds) {
  const auto tokenizer = Parse(Llama2());
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "ab a" + std::to_string(i) + " bé";
  const Ids expected = tokenizer->Encode(text);
  std::vector<std::thread> threads;
  std::vector<Ids> found(4);
  for (Ids& ids : found) threads.emplace_back([&] { ids = tokenizer->Encode(text); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& ids : found) EXPECT_EQ(ids, expected);
}

TEST(TextModelsTest, BoundsWhatAFileMayAskFor) {
  Json json = Llama2();
  json["model"]["vocab"][std::string(5000, 'a')] = 264;
  EXPECT_THAT(Refusal(json), HasSubstr("a piece of 5000 bytes"));
  json = Llama2();
  for (int depth = 0; depth < 20; ++depth) {
    const Json inner = json["normalizer"];
    json["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array({inner})}};
  }
  EXPECT_THAT(Refusal(json), HasSubstr("nest more than 16 deep"));
  json = Llama2();
  json["decoder"] = {{"type", "Sequence"}, {"decoders", Json::array()}};
  for (int i = 0; i < 100; ++i) json["decoder"]["decoders"].push_back({{"type", "Fuse"}});
  EXPECT_THAT(Refusal(json), HasSubstr("more than 64 steps"));
}

}  // namespace
}  // namespace hone
