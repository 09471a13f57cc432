#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/error.h"
#include "policy/files/gguf_tokenizer.h"
#include "small_policy.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

std::string TokenizerRefusal(const std::function<void(ModelFolder*, Json*)>& change) {
  ModelFolder model = SmallPolicy("LlamaForCausalLM");
  Json tokenizer = Json::parse(model.companions[1].second);
  change(&model, &tokenizer);
  model.companions[1].second = tokenizer.dump();
  GgufMetadata metadata;
  try {
    AddGgufTokenizer(model, &metadata);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(GgufTokenizerTest, WhatLlamaCppCannotCutAlikeIsRefused) {
  EXPECT_EQ(TokenizerRefusal([](ModelFolder*, Json*) {}), "accepted");
  const auto refusal = [](const std::string& pointer, const Json& value) {
    return TokenizerRefusal(
        [&](ModelFolder*, Json* json) { (*json)[Json::json_pointer(pointer)] = value; });
  };
  EXPECT_THAT(refusal("/pre_tokenizer/add_prefix_space", true), HasSubstr("has no name for"));
  EXPECT_THAT(refusal("/pre_tokenizer/use_regex", false), HasSubstr("[bytes]"));
  EXPECT_THAT(refusal("/model/ignore_merges", true), HasSubstr("with ignore_merges"));
  EXPECT_THAT(refusal("/model/byte_fallback", true), HasSubstr("no {\"add_prefix_space\""));
  EXPECT_THAT(refusal("/model/merges", nullptr), HasSubstr("only BPE"));
  EXPECT_THAT(refusal("/model/unk_token", "a"), HasSubstr("unk_token"));
  EXPECT_THAT(refusal("/normalizer", {{"type", "Lowercase"}}), HasSubstr("Lowercase"));
  EXPECT_EQ(refusal("/normalizer", {{"type", "NFC"}}), "accepted");
  EXPECT_THAT(refusal("/added_tokens/2/lstrip", true), HasSubstr("no lstrip"));
  EXPECT_THAT(refusal("/added_tokens/2/content", "[PAD263]"), HasSubstr("two tokens"));
  const auto ends = [](const TextEnds& asked) {
    return TokenizerRefusal([&](ModelFolder* model, Json* json) {
      (*json)["post_processor"] = {{"type", "BertProcessing"},
                                   {"cls", {"x", asked.before[0]}},
                                   {"sep", {"y", asked.behind[0]}}};
      model->tokenizer = Tokenizer::Parse(json->dump(), "tokenizer.json");
      model->generation.bos_token_id = 0;
    });
  };
  EXPECT_EQ(ends({{0}, {1}}), "accepted");
  EXPECT_THAT(ends({{2}, {1}}), HasSubstr("adds [2], where llama.cpp adds BOS"));
  EXPECT_THAT(ends({{0}, {0}}), HasSubstr("adds [0], where llama.cpp adds EOS"));
  EXPECT_THAT(
      TokenizerRefusal([](ModelFolder* model, Json*) { model->generation.eos_token_ids = {}; }),
      HasSubstr("eos_token_id"));
  EXPECT_THAT(TokenizerRefusal([](ModelFolder* model, Json*) { model->tokenizer = nullptr; }),
              HasSubstr("tokenizer.json: is missing"));
}

TEST(GgufTokenizerTest, AddedTokensThatOverlapAreRefused) {
  const auto refusal = [](const std::vector<std::string>& contents) {
    return TokenizerRefusal([&](ModelFolder* model, Json* json) {
      for (size_t i = 0; i < contents.size(); ++i)
        (*json)["added_tokens"][2 + i]["content"] = contents[i];
      model->tokenizer = Tokenizer::Parse(json->dump(), "tokenizer.json");
    });
  };
  EXPECT_THAT(refusal({"[a][", "[b]b"}), HasSubstr("\"[a][\": overlaps with \"[b]b\""));
  EXPECT_THAT(refusal({"[a]", "]]]]"}), HasSubstr("overlaps"));
  EXPECT_EQ(refusal({"[a]bc", "c{"}), "accepted");                 // the first is the longer one
  EXPECT_EQ(refusal({"\n\n", "\n\n\n", "\n\n\n\n"}), "accepted");  // the longest comes first
  EXPECT_THAT(refusal({"\n\n", "\n\n\nx"}), HasSubstr("overlaps"));
}

const GgufValue& At(const GgufMetadata& metadata, const std::string& key) {
  for (const auto& [name, value] : metadata) {
    if (name == key) return value;
  }
  throw std::out_of_range(key);
}

TEST(GgufTokenizerTest, SaysWhatTheFilesSay) {
  ModelFolder model = SmallPolicy("LlamaForCausalLM");
  Json tokenizer = Json::parse(model.companions[1].second);
  tokenizer["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<|pad|>"}, {"type_id", 0}}}},
        {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"pair", Json::array()},
      {"special_tokens",
       {{"<|pad|>", {{"id", "<|pad|>"}, {"ids", {0}}, {"tokens", {"<|pad|>"}}}}}}};
  model.companions[1].second = tokenizer.dump();
  model.tokenizer = Tokenizer::Parse(tokenizer.dump(), "tokenizer.json");
  model.generation = {.eos_token_ids = {1, 5}, .pad_token_id = 0, .bos_token_id = 0};
  model.companions.emplace_back("chat_template.jinja", "{{ messages }}");
  GgufMetadata metadata;
  AddGgufTokenizer(model, &metadata);
  EXPECT_EQ(At(metadata, "tokenizer.ggml.pre"), GgufValue(std::string("gpt-2")));
  EXPECT_EQ(At(metadata, "tokenizer.ggml.bos_token_id"), GgufValue(uint32_t{0}));
  EXPECT_EQ(At(metadata, "tokenizer.ggml.eos_token_id"), GgufValue(uint32_t{1}));
  EXPECT_EQ(At(metadata, "tokenizer.ggml.eot_token_id"), GgufValue(uint32_t{5}));
  EXPECT_EQ(At(metadata, "tokenizer.ggml.add_bos_token"), GgufValue(true));
  EXPECT_EQ(At(metadata, "tokenizer.ggml.add_eos_token"), GgufValue(false));
  EXPECT_EQ(At(metadata, "tokenizer.chat_template"), GgufValue(std::string("{{ messages }}")));
  const auto types = std::get<std::vector<int32_t>>(At(metadata, "tokenizer.ggml.token_type"));
  ASSERT_EQ(types.size(), 264u);
  EXPECT_EQ(types[1], 3);    // <|endoftext|>: control
  EXPECT_EQ(types[40], 1);   // a byte
  EXPECT_EQ(types[258], 4);  // <think>: user-defined
  EXPECT_EQ(types[263], 5);  // a row that no token has
}

// What SentencePiece makes: bytes from 3 on, then "▁", "a", "b", and what merges make of them.
Json SentencePiece() {
  Json json = Json::parse(R"({
      "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
          {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
      "decoder":{"type":"Sequence","decoders":[
          {"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
          {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
      "model":{"type":"BPE","unk_token":"<unk>","byte_fallback":true,"fuse_unk":true,
          "vocab":{"<unk>":0,"<s>":1,"</s>":2},
          "merges":[["a","b"],["▁","a"],["▁","ab"],["▁a","b"]]},
      "added_tokens":[{"id":0,"content":"<unk>","special":true,"normalized":false},
          {"id":1,"content":"<s>","special":true,"normalized":false},
          {"id":2,"content":"</s>","special":true,"normalized":false},
          {"id":265,"content":"<|endoftext|>","special":true,"normalized":false},
          {"id":266,"content":"<t>","special":false,"normalized":false}]})");
  Json& vocab = json["model"]["vocab"];
  for (int byte = 0; byte < 256; ++byte) vocab[fmt::format("<0x{:02X}>", byte)] = 3 + byte;
  int id = 259;
  for (const char* piece : {"▁", "a", "b", "ab", "▁a", "▁ab"}) vocab[piece] = id++;
  return json;
}

GgufMetadata Written(const Json& tokenizer) {
  ModelFolder model = SmallPolicy("LlamaForCausalLM");
  model.path = "my-phi3-policy";
  model.config.vocab_size = 268;
  model.companions[1].second = tokenizer.dump();
  model.tokenizer = Tokenizer::Parse(tokenizer.dump(), "tokenizer.json");
  GgufMetadata metadata = {{"general.name", std::string("my-phi3-policy")}};
  AddGgufTokenizer(model, &metadata);
  return metadata;
}

std::string SentencePieceRefusal(const std::string& pointer, const Json& value) {
  Json json = SentencePiece();
  json[Json::json_pointer(pointer)] = value;
  try {
    Written(json);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(GgufTokenizerTest, SentencePieceHasScoresInTheOrderOfItsMerges) {
  const GgufMetadata metadata = Written(SentencePiece());
  EXPECT_EQ(At(metadata, "tokenizer.ggml.model"), GgufValue(std::string("llama")));
  EXPECT_EQ(At(metadata, "tokenizer.ggml.add_space_prefix"), GgufValue(true));
  EXPECT_EQ(At(metadata, "tokenizer.ggml.unknown_token_id"), GgufValue(uint32_t{0}));
  const auto scores = std::get<std::vector<float>>(At(metadata, "tokenizer.ggml.scores"));
  const auto types = std::get<std::vector<int32_t>>(At(metadata, "tokenizer.ggml.token_type"));
  ASSERT_EQ(scores.size(), 268u);
  EXPECT_EQ(std::vector(scores.begin() + 259, scores.begin() + 265),
            std::vector<float>({-3, -3, -3, 0, -1, -2}));
  EXPECT_EQ(std::vector(types.begin() + 257, types.end()),
            std::vector<int32_t>({6, 6, 1, 1, 1, 1, 1, 1, 3, 4, 5}));
  EXPECT_EQ(types[0], 2);
  EXPECT_EQ(types[1], 3);
}

TEST(GgufTokenizerTest, MergesThatNoScoreSaysAreRefused) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  const auto refusal = [](const Pairs& merges) {
    return SentencePieceRefusal("/model/merges", merges);
  };
  EXPECT_THAT(refusal({{"a", "b"}, {"▁", "a"}, {"▁", "ab"}}),
              HasSubstr("\"▁a\" and \"b\" are not merged to \"▁ab\""));
  EXPECT_THAT(refusal({{"a", "b"}, {"▁", "ab"}, {"▁", "a"}, {"▁a", "b"}}),
              HasSubstr("make \"▁ab\" stand apart"));
  EXPECT_EQ(refusal({{"▁", "a"}, {"▁a", "b"}, {"▁", "ab"}, {"a", "b"}}), "accepted");
  // A character without a token, which llama.cpp would merge and Hugging Face not.
  Json json = SentencePiece();
  json["model"]["vocab"].erase("b");
  json["model"]["vocab"]["c"] = 261;
  json["model"]["merges"] = Pairs{{"▁", "a"}, {"▁", "ab"}};
  EXPECT_THROW(Written(json), UsageError);
}

TEST(GgufTokenizerTest, SentencePieceOfAnotherShapeIsRefused) {
  EXPECT_EQ(SentencePieceRefusal("/model/ignore_merges", false), "accepted");
  EXPECT_THAT(SentencePieceRefusal("/model/ignore_merges", true), HasSubstr("ignore_merges"));
  EXPECT_THAT(SentencePieceRefusal("/model/end_of_word_suffix", "x"), HasSubstr("suffix"));
  EXPECT_THAT(SentencePieceRefusal("/normalizer/normalizers/0", {{"type", "Lowercase"}}),
              HasSubstr("Lowercase"));
  EXPECT_THAT(SentencePieceRefusal("/normalizer", nullptr), HasSubstr("spaces stay spaces"));
  EXPECT_THAT(SentencePieceRefusal("/pre_tokenizer", {{"type", "WhitespaceSplit"}}),
              HasSubstr("WhitespaceSplit"));
  EXPECT_THAT(SentencePieceRefusal("/added_tokens/4/normalized", true), HasSubstr("normalized"));
  EXPECT_THAT(SentencePieceRefusal("/decoder/decoders/0/content", "_"), HasSubstr("decoder"));
  Json json = SentencePiece();
  json["model"]["vocab"].erase("<0x41>");
  json["model"]["vocab"]["c"] = 3 + 0x41;
  EXPECT_THROW(Written(json), UsageError);
}

TEST(GgufTokenizerTest, MetaspaceIsWrittenInTheOneSettingForIt) {
  for (const std::string scheme : {"always", "first", "never"}) {
    Json json = SentencePiece();
    json["normalizer"] = nullptr;
    if (scheme == "never") json["decoder"]["decoders"].erase(3);
    json["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", false}};
    EXPECT_EQ(At(Written(json), "tokenizer.ggml.add_space_prefix"), GgufValue(scheme != "never"));
    json["pre_tokenizer"]["split"] = true;
    EXPECT_THROW(Written(json), UsageError);
  }
}

TEST(GgufTokenizerTest, WhiteSpaceBehindTokensGoesByTheNameOfPhi3) {
  EXPECT_EQ(At(Written(SentencePiece()), "general.name"), GgufValue(std::string("policy")));
  EXPECT_THAT(SentencePieceRefusal("/added_tokens/4/rstrip", true), HasSubstr("no rstrip"));
  Json json = SentencePiece();
  for (const int token : {2, 4}) json["added_tokens"][token]["rstrip"] = true;
  EXPECT_EQ(At(Written(json), "general.name"), GgufValue(std::string("my-phi3-policy")));
  json["added_tokens"][1]["rstrip"] = true;  // <s>
  EXPECT_THROW(Written(json), UsageError);
}

TEST(GgufTokenizerTest, RunsOfSpacesThatAreAddedTokensAreMerged) {
  Json json = SentencePiece();
  json["model"]["merges"].push_back({"▁", "▁"});
  json["model"]["vocab"]["▁▁"] = 265;
  json["added_tokens"][3] = {{"id", 265}, {"content", "▁▁"}, {"normalized", false}};
  const auto types = std::get<std::vector<int32_t>>(At(Written(json), "tokenizer.ggml.token_type"));
  EXPECT_EQ(types[265], 1);
}

}  // namespace
}  // namespace hone
