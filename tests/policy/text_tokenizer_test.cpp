#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "common/error.h"
#include "common/json.h"
#include "policy/text/split_pattern.h"
#include "policy/text/tokenizer.h"
#include "policy/text/utf8.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<int32_t>;

// A byte's symbol in the vocabulary, worked out apart from the code under test.
std::string Symbol(int byte) {
  const bool prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  int code = byte;
  if (!prints) code = byte <= 32 ? 256 + byte : byte <= 160 ? 256 + 33 + byte - 127 : 256 + 67;
  if (code < 128) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
}

Json Added(int id, const std::string& content, Json flags = Json::object()) {
  Json token = {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", false}};
  token.update(flags);
  return token;
}

class TokenizerTest : public ::testing::Test {
 protected:
  // Ids 0 to 255 are the bytes; merges give "he" 256, "ll" 257, "hell" 258, "hello" 259, " h" 260.
  TokenizerTest() {
    for (int byte = 0; byte < 256; ++byte) Vocab()[Symbol(byte)] = byte;
    int next = 256;
    for (const auto& [left, right] :
         {std::pair{"h", "e"}, {"l", "l"}, {"he", "ll"}, {"hell", "o"}, {"Ġ", "h"}}) {
      Vocab()[std::string(left) + right] = next++;
      json_["model"]["merges"].push_back({left, right});
    }
    json_["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
    json_["decoder"] = {{"type", "ByteLevel"}};
    json_["model"]["type"] = "BPE";
    json_["added_tokens"] = Json::array();
  }
  ~TokenizerTest() override { fs::remove(path_); }

  Json& Vocab() { return json_["model"]["vocab"]; }
  void Add(const std::string& content, Json flags = Json::object()) {
    const auto id = static_cast<int>(261 + json_["added_tokens"].size());
    json_["added_tokens"].push_back(Added(id, content, flags));
  }
  std::shared_ptr<const Tokenizer> Load() { return LoadText(json_.dump()); }
  std::shared_ptr<const Tokenizer> LoadText(const std::string& text) {
    std::ofstream(path_) << text;
    return Tokenizer::Load(path_);
  }
  Ids Encode(std::string_view text) { return Load()->Encode(text); }
  // The message with which the file as it stands is refused.
  std::string Refusal() {
    try {
      Load();
    } catch (const FileError& error) {
      return error.what();
    }
    return "accepted";
  }

  Json json_;
  fs::path path_ =
      fs::temp_directory_path() / ("hone_tokenizer_" + std::to_string(getpid()) + ".json");
};

TEST_F(TokenizerTest, MergesTheLowestRankFirst) {
  EXPECT_THAT(Encode("hello"), ElementsAre(259));
  EXPECT_THAT(Encode("hel"), ElementsAre(256, 'l'));
  EXPECT_THAT(Encode("shell"), ElementsAre('s', 258));
  // "he" (rank 0) wins over " h" (rank 4).
  EXPECT_THAT(Encode(" hello"), ElementsAre(' ', 259));
  EXPECT_THAT(Encode(" ha"), ElementsAre(260, 'a'));
}

TEST_F(TokenizerTest, OfEqualPairsMergesTheLeftmost) {
  EXPECT_THAT(Encode("lll"), ElementsAre(257, 'l'));
}

TEST_F(TokenizerTest, APairThatChangedWhileItWaitedIsNotMergedAsItWas) {
  // In "abc", "a b" waits while "b c" merges; "a bc" is another pair by then.
  for (const auto& [piece, id] : {std::pair{"bc", 261}, {"ab", 262}, {"abc", 263}})
    Vocab()[piece] = id;
  for (const char* merge : {"b c", "a b", "a bc"}) {
    const std::string text = merge;
    json_["model"]["merges"].push_back(
        {text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)});
  }
  EXPECT_THAT(Encode("abc"), ElementsAre(263));
}

TEST_F(TokenizerTest, ReadsMergesAsStringsToo) {
  json_["model"]["merges"] = {"#version: 0.2", "h e", "l l", "he ll", "hell o", "Ġ h"};
  EXPECT_THAT(Encode("hello ha"), ElementsAre(259, 260, 'a'));
}

TEST_F(TokenizerTest, DoesNotMergeAcrossWords) {
  EXPECT_THAT(Encode("h1e"), ElementsAre('h', '1', 'e'));
  EXPECT_THAT(Encode("h'el"), ElementsAre('h', '\'', 'e', 'l'));
  EXPECT_THAT(Encode(""), ElementsAre());
}

TEST_F(TokenizerTest, IgnoreMergesTakesAWordThatIsAToken) {
  Vocab()["Ġhello"] = 261;  // no merge makes it
  EXPECT_THAT(Encode(" hello"), ElementsAre(' ', 259));
  json_["model"]["ignore_merges"] = true;
  EXPECT_THAT(Encode(" hello"), ElementsAre(261));
}

TEST_F(TokenizerTest, RecognisesAddedTokensLongestFirst) {
  Add("<think>");
  Add("<think>>");
  EXPECT_THAT(Encode("he<think>>he<think>"), ElementsAre(256, 262, 256, 261));
  EXPECT_THAT(Encode("<think"), ElementsAre('<', 't', 'h', 'i', 'n', 'k'));
}

TEST_F(TokenizerTest, FlagsOfAddedTokensDecideWhatTheySwallow) {
  Add("<l>", {{"lstrip", true}});
  Add("<r>", {{"rstrip", true}});
  Add("cat", {{"single_word", true}});
  EXPECT_THAT(Encode("a \u00a0<l> b"), ElementsAre('a', 261, ' ', 'b'));
  EXPECT_THAT(Encode("a <r> \n b"), ElementsAre('a', ' ', 262, 'b'));
  EXPECT_THAT(Encode("cat cat! cats"), ElementsAre(263, ' ', 263, '!', ' ', 'c', 'a', 't', 's'));
}

TEST_F(TokenizerTest, NormalizedTokensAreFoundAfterNormalisation) {
  json_["normalizer"] = {{"type", "NFC"}};
  Add("e\u0301", {{"normalized", true}});
  EXPECT_THAT(Encode("\u00e9"), ElementsAre(261));
  EXPECT_THAT(Encode("e\u0301"), ElementsAre(261));
  EXPECT_THAT(Encode("u\u0301"), ElementsAre(0xC3, 0xBA));
}

TEST_F(TokenizerTest, AddsAPrefixSpaceOnlyWhenAskedTo) {
  json_["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_THAT(Encode("ha"), ElementsAre(260, 'a'));
  EXPECT_THAT(Encode(" ha"), ElementsAre(260, 'a'));
}

TEST_F(TokenizerTest, SplitsAsLlama3Does) {
  json_["pre_tokenizer"] =
      Json::parse(R"J({"type":"Sequence","pretokenizers":[{"type":"Split","behavior":"Isolated",
      "invert":false,"pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
      {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})J");
  Vocab()["12"] = 261;
  Vocab()["34"] = 262;
  Vocab()["hĠ"] = 263;
  json_["model"]["merges"].push_back({"1", "2"});
  json_["model"]["merges"].push_back({"3", "4"});
  json_["model"]["merges"].push_back({"h", "Ġ"});
  EXPECT_THAT(Encode("1234"), ElementsAre(261, '3', '4'));
  EXPECT_THAT(Encode("h h"), ElementsAre('h', 260));
  EXPECT_THAT(Encode("'LLhe"), ElementsAre('\'', 'L', 'L', 256));
}

TEST_F(TokenizerTest, SplitBehavioursPlaceTheMatch) {
  const auto words = [&](const std::string& behavior, bool invert) {
    json_["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"},
           {"pattern", {{"String", "l"}}},
           {"behavior", behavior},
           {"invert", invert}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
    return Encode("hell");
  };
  EXPECT_THAT(words("Isolated", false), ElementsAre(256, 'l', 'l'));
  EXPECT_THAT(words("Removed", false), ElementsAre(256));
  EXPECT_THAT(words("Removed", true), ElementsAre('l', 'l'));
  EXPECT_THAT(words("Contiguous", false), ElementsAre(256, 257));
  EXPECT_THAT(words("MergedWithPrevious", false), ElementsAre(256, 'l', 'l'));
  EXPECT_THAT(words("MergedWithNext", false), ElementsAre(256, 'l', 'l'));
}

TEST_F(TokenizerTest, DecodeReplacesInvalidUtf8ByMaximalParts) {
  const auto tokenizer = Load();
  EXPECT_EQ(tokenizer->Decode(Ids{0xE6, 0x97, 0xA5}), "日");
  EXPECT_EQ(tokenizer->Decode(Ids{'a', 0xE6, 0x97, 'b'}), "a\uFFFDb");
  EXPECT_EQ(tokenizer->Decode(Ids{0xFF, 0xFE}), "\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer->Decode(Ids{0xED, 0xA0, 0x80}), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(tokenizer->Decode(Ids{0xF0, 0x9F, 0x99}), "\uFFFD");
  EXPECT_EQ(tokenizer->Decode(Ids{0xC0, 0x80}), "\uFFFD\uFFFD");  // overlong
}

TEST_F(TokenizerTest, DecodeLeavesOutSpecialTokensWhenAsked) {
  Add("<|end|>", {{"special", true}});
  Add("<think>");
  const auto tokenizer = Load();
  EXPECT_EQ(tokenizer->Decode(Ids{262, 259, 261}), "<think>hello<|end|>");
  EXPECT_EQ(tokenizer->Decode(Ids{262, 259, 261}, true), "<think>hello");
  EXPECT_TRUE(tokenizer->IsSpecial(261));
  EXPECT_FALSE(tokenizer->IsSpecial(262));
  EXPECT_EQ(tokenizer->TokenId("<|end|>"), 261);
  EXPECT_EQ(tokenizer->TokenId("nothing"), std::nullopt);
  EXPECT_EQ(tokenizer->Bytes(260), " h");
  EXPECT_EQ(tokenizer->vocab_size(), 263);
  EXPECT_EQ(tokenizer->Decode(Ids{'a', 5000, 'b'}), "ab");
  EXPECT_THROW(tokenizer->Decode(Ids{-1}), UsageError);
}

TEST_F(TokenizerTest, EncodeAndDecodeGiveTheTextBack) {
  Add("<think>");
  const auto tokenizer = Load();
  for (const std::string& text :
       std::vector<std::string>{"", " ", "\n\n", "日本語 <think> 🙂\u0301\r\n\t", "it's 3.14%",
                                std::string("a\0b", 3)}) {
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text)), text);
  }
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("a\xFFz")), "a\uFFFDz");
}

TEST_F(TokenizerTest, LongRunsOfOneCharacterTakeAMoment) {
  int next = 261;
  for (std::string piece = "a"; piece.size() < 64; piece += piece) {
    json_["model"]["merges"].push_back({piece, piece});
    Vocab()[piece + piece] = next++;
  }
  const auto tokenizer = Load();
  const auto start = std::chrono::steady_clock::now();
  for (const char c : {'a', ' ', '\n'}) {
    const std::string text(1 << 20, c);
    const Ids ids = tokenizer->Encode(text);
    EXPECT_EQ(ids.size(), c == 'a' ? text.size() / 64 : text.size());
    EXPECT_EQ(tokenizer->Decode(ids), text);
  }
  // A second in a release build; the limit leaves room for sanitizers. Quadratic work takes hours.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(120));
}

TEST_F(TokenizerTest, AnExplosivePatternEndsWithAnError) {
  const SplitPattern pattern("(a+)+$");
  EXPECT_THROW(pattern.FindMatches(std::string(60, 'a') + "b"), RunError);
}

TEST_F(TokenizerTest, RefusesFilesThatAreNoTokenizer) {
  EXPECT_THROW(Tokenizer::Load("/nonexistent/tokenizer.json"), FileError);
  EXPECT_THROW(LoadText("{\"model\":"), FileError);
  EXPECT_THROW(LoadText("[]"), FileError);
  EXPECT_THROW(LoadText("{}"), FileError);
  EXPECT_THROW(LoadText(std::string(100000, '[')), FileError);
}

TEST_F(TokenizerTest, RefusesOtherModels) {
  json_["model"]["type"] = "WordLevel";
  EXPECT_THAT(Refusal(), HasSubstr("model.type: WordLevel is not supported; expected BPE"));
}

TEST_F(TokenizerTest, RefusesMissingAndLostMerges) {
  const Json merges = json_["model"]["merges"];
  json_["model"].erase("merges");
  EXPECT_THAT(Refusal(), HasSubstr("model.merges: is missing"));
  json_["model"]["merges"] = Json::array();
  EXPECT_THAT(Refusal(), HasSubstr("can only come from a merge"));
  for (const char* piece : {"he", "ll", "hell", "hello", "Ġh"}) Vocab().erase(piece);
  EXPECT_EQ(Refusal(), "accepted");  // a vocabulary of bytes alone needs none
}

TEST_F(TokenizerTest, APostProcessorsTokensAreAddedWhereTheyAreAskedFor) {
  Add("<s>");
  Add("</s>");
  const auto expect = [&](const char* processor, const Ids& before, const Ids& behind) {
    json_["post_processor"] = Json::parse(processor);
    const auto tokenizer = Load();
    Ids prompt = before;
    prompt.insert(prompt.end(), {256, 'l'});
    EXPECT_THAT(tokenizer->Encode("hel"), ElementsAre(256, 'l'));
    EXPECT_EQ(tokenizer->EncodePrompt("hel"), prompt) << processor;
    prompt.insert(prompt.end(), behind.begin(), behind.end());
    EXPECT_EQ(tokenizer->EncodeWithSpecials("hel"), prompt) << processor;
  };
  const std::string llama = R"({"type":"TemplateProcessing","single":[
      {"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
      {"SpecialToken":{"id":"ends","type_id":0}}],"pair":[],"special_tokens":{
      "<s>":{"id":"<s>","ids":[261],"tokens":["<s>"]},
      "ends":{"id":"ends","ids":[262,256],"tokens":["</s>","he"]}}})";
  const std::string bytes = R"({"type":"ByteLevel"})";
  expect("null", {}, {});
  expect(bytes.c_str(), {}, {});
  expect(llama.c_str(), {261}, {262, 256});
  expect(R"({"type":"BertProcessing","sep":["</s>",262],"cls":["<s>",261]})", {261}, {262});
  expect(R"({"type":"RobertaProcessing","sep":["</s>",262],"cls":["<s>",261]})", {261}, {262});
  const std::string sequence = R"({"type":"Sequence","processors":[)";
  expect((sequence + bytes + "," + llama + "," + bytes + "]}").c_str(), {261}, {262, 256});

  json_["post_processor"] = Json::parse(sequence + llama + "," + llama + "]}");
  EXPECT_THAT(Refusal(), HasSubstr("post_processor.processors[1]: adds tokens"));
  const auto refusal = [&](const std::string& pointer, const Json& value) {
    json_["post_processor"] = Json::parse(llama);
    json_["post_processor"][Json::json_pointer(pointer)] = value;
    return Refusal();
  };
  EXPECT_THAT(refusal("/single/1/Sequence/id", "B"), HasSubstr("expected the text A, found B"));
  EXPECT_THAT(refusal("/single", Json::array()), HasSubstr("expected A once, found 0"));
  EXPECT_THAT(refusal("/single/0", 7), HasSubstr("SpecialToken"));
  EXPECT_THAT(refusal("/special_tokens/ends", nullptr), HasSubstr("ends: expected an object"));
  EXPECT_THAT(refusal("/special_tokens/ends/ids/0", 999), HasSubstr("no token is 999"));
  EXPECT_THAT(refusal("/special_tokens/ends/ids/0", -1), HasSubstr("expected an id"));
  EXPECT_THAT(refusal("/special_tokens/ends/ids", std::vector<int>(65, 256)),
              HasSubstr("more than 64 tokens"));
}

TEST_F(TokenizerTest, RefusesMergesOfUnknownPieces) {
  json_["model"]["merges"].push_back({"q", "u"});
  EXPECT_THAT(Refusal(), HasSubstr("model.merges[5]: \"qu\" is not in model.vocab"));
  json_["model"]["merges"].back() = {"xyz", "u"};
  EXPECT_THAT(Refusal(), HasSubstr("\"xyz\" is not in model.vocab"));
  json_["model"]["merges"].back() = "h e l";
  EXPECT_THAT(Refusal(), HasSubstr("model.merges[5]: expected two pieces"));
}

TEST_F(TokenizerTest, RefusesIdsThatClashOrLie) {
  Vocab()["he"] = 257;
  EXPECT_THAT(Refusal(), HasSubstr("the id 257 is used twice"));
  Vocab()["he"] = 2000000000;
  EXPECT_THAT(Refusal(), HasSubstr("out of range"));
  for (const Json& bad : {Json(-1), Json(1.5), Json("7"), Json(uint64_t{1} << 40)}) {
    Vocab()["he"] = bad;
    EXPECT_THAT(Refusal(), HasSubstr("expected an id"));
  }
  Vocab()["he"] = 256;
  json_["added_tokens"] = {Added(300, "<x>")};
  EXPECT_THAT(Refusal(), HasSubstr("has the id 300, expected 261"));
  json_["added_tokens"] = {Added(261, "<x>"), Added(262, "<x>")};
  EXPECT_THAT(Refusal(), HasSubstr("stands here twice"));
}

TEST_F(TokenizerTest, NamesWhatItDoesNotSupport) {
  const Json good = json_;
  const auto refusal = [&](const char* pointer, const Json& value) {
    json_ = good;
    json_[Json::json_pointer(pointer)] = value;
    return Refusal();
  };
  EXPECT_THAT(refusal("/normalizer", {{"type", "Precompiled"}}),
              HasSubstr("normalizer.type: Precompiled is not supported"));
  EXPECT_THAT(refusal("/pre_tokenizer", {{"type", "UnicodeScripts"}}),
              HasSubstr("pre_tokenizer.type: UnicodeScripts"));
  EXPECT_THAT(refusal("/decoder", {{"type", "CTC"}}), HasSubstr("decoder.type: CTC"));
  EXPECT_THAT(refusal("/post_processor", {{"type", "Odd"}}), HasSubstr("post_processor.type: Odd"));
  EXPECT_THAT(refusal("/model/dropout", 0.1), HasSubstr("model.dropout"));
  EXPECT_EQ(refusal("/post_processor", {{"type", "ByteLevel"}}), "accepted");
}

TEST(OnigurumaTest, RefusesWhatPcreWouldReadOtherwise) {
  for (const char* pattern : {R"(\h)", R"(\p{Greek})", "[a[b]]", "[a&&b]", "a(?i)b", "x{2}+",
                              R"([\P{L}])", R"(\bx)", "(?<n>a)", "[]a]"}) {
    EXPECT_THROW(SplitPattern{pattern}, std::invalid_argument) << pattern;
  }
  EXPECT_THROW(SplitPattern{"(a"}, std::invalid_argument);
}

TEST(OnigurumaTest, KnowsUnicode16AndOnigurumasSpaces) {
  const auto matches = [](const char* pattern, const char* text) {
    return SplitPattern(pattern).FindMatches(text).size();
  };
  EXPECT_EQ(matches(R"(\p{Lu})", "\u1C89"), 1u);  // Unicode 16
  EXPECT_EQ(matches(R"([^\p{L}])", "\u1C89"), 0u);
  EXPECT_EQ(matches(R"(\s)", "\u180E\u0085\u3000"), 2u);
  EXPECT_EQ(matches(R"([\S])", "\u180E\u0085\u3000"), 1u);
  EXPECT_EQ(matches(R"(\P{L}{,2}x)", "12xx"), 2u);
}

TEST(Utf8Test, NormalFormCComposesAndLeavesLateMarksInPlace) {
  const auto normal = [](const char* text) { return ToNormalForm(text, NormalForm::kC); };
  EXPECT_EQ(normal("e\u0301"), "\u00e9");
  EXPECT_EQ(normal("x\u0301\u0327"), "x\u0327\u0301");
  EXPECT_EQ(normal("x\u08d3\u0327"), "x\u08d3\u0327");  // U+08D3 came with Unicode 11
}

}  // namespace
}  // namespace hone
