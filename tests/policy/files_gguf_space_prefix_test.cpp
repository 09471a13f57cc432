#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "policy/files/gguf_space_prefix.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Choice {
  bool space_prefix = false;
  std::string warning;
};

class GgufSpacePrefixTest : public ::testing::Test {
 protected:
  GgufSpacePrefixTest() {
    fs::create_directories(path_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
  }
  ~GgufSpacePrefixTest() override {
    spdlog::set_default_logger(before_);
    fs::remove_all(path_);
  }

  static Json Metaspace(const Json& scheme) {
    return {
        {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", false}};
  }

  Choice Choose(const Json& normalizer, const Json& pre_tokenizer) {
    Json added = Json::array();
    for (const char* content : {"<s>", "</s>", "[INST]", "[/INST]"})
      added.push_back({{"id", added.size()}, {"content", content}, {"normalized", normalized_}});
    ModelFolder model;
    model.path = path_;
    log_.str("");
    const bool chosen = GgufSpacePrefix(
        model,
        {{"normalizer", normalizer}, {"pre_tokenizer", pre_tokenizer}, {"added_tokens", added}});
    spdlog::default_logger()->flush();
    return {chosen, log_.str()};
  }
  Choice WithTemplate(const char* scheme, const std::string& chat) {
    WriteFileAtomically(path_ / "chat_template.jinja", chat);
    WriteFileAtomically(path_ / "tokenizer_config.json",
                        R"({"bos_token":"<s>","eos_token":"</s>"})");
    return Choose(nullptr, Metaspace(scheme));
  }
  std::string Refusal(const Json& normalizer, const Json& pre_tokenizer) {
    try {
      Choose(normalizer, pre_tokenizer);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  }

  bool normalized_ = false;
  const fs::path path_ =
      fs::temp_directory_path() / ("hone_gguf_space_prefix_" + std::to_string(getpid()));
  std::ostringstream log_;
  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

const Json kSpaces = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
const Json kPrepended = {{"type", "Sequence"},
                         {"normalizers", {{{"type", "Prepend"}, {"prepend", "▁"}}, kSpaces}}};

TEST_F(GgufSpacePrefixTest, WhatLlamaCppDoesTooIsChosenInSilence) {
  const Choice prepend = Choose(kPrepended, nullptr), gemma = Choose(kSpaces, nullptr),
               never = Choose(nullptr, Metaspace("never"));
  EXPECT_TRUE(prepend.space_prefix);
  EXPECT_FALSE(gemma.space_prefix);
  EXPECT_FALSE(never.space_prefix);
  EXPECT_EQ(prepend.warning + gemma.warning + never.warning, "");
}

TEST_F(GgufSpacePrefixTest, WithoutAChatTemplatePlainTextsAgree) {
  for (const Json& scheme : {Json("always"), Json(nullptr)}) {
    const Choice always = Choose(nullptr, Metaspace(scheme));
    EXPECT_TRUE(always.space_prefix);
    EXPECT_THAT(always.warning, HasSubstr("\"always\" is not in GGUF: llama.cpp adds one space "
                                          "more to a text that begins with a space or ▁"));
  }
  const Choice first = Choose(nullptr, Metaspace("first"));
  EXPECT_TRUE(first.space_prefix);
  EXPECT_THAT(first.warning, AllOf(HasSubstr("\"first\" is not in GGUF: llama.cpp adds a space to "
                                             "what follows an added token"),
                                   HasSubstr("all others the same\n")));
}

// Mistral 0.3's, Llama 2's, and one that puts no space between a token and what follows.
constexpr const char* kSpaced =
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}"
    "{% else %}{{ raise_exception('no system') }}{% endif %}{% endfor %}";
constexpr const char* kTight =
    "{{ bos_token }}{% for m in messages %}[INST]{{ m.content }}{% endfor %}";
constexpr const char* kPlain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
constexpr const char* kMixed = "{% for m in messages %}{{ m.role }}{{ eos_token }}\n{% endfor %}";

TEST_F(GgufSpacePrefixTest, TextsOfTheChatTemplateAgree) {
  const auto expect = [&](const char* scheme, const char* chat, bool space_prefix, bool agrees) {
    const Choice choice = WithTemplate(scheme, chat);
    EXPECT_EQ(choice.space_prefix, space_prefix) << scheme << ": " << chat;
    EXPECT_THAT(choice.warning, HasSubstr(agrees ? "among them those of the chat template"
                                                 : "the chat template makes such texts"));
  };
  expect("always", kTight, true, true);
  expect("always", kPlain, true, true);
  expect("always", kSpaced, false, true);
  expect("always", "[INST] a[/INST]b", true, false);
  expect("first", kTight, false, true);
  expect("first", kSpaced, false, true);
  expect("first", kPlain, true, true);
  expect("first", kMixed, false, false);
}

TEST_F(GgufSpacePrefixTest, TheWarningNamesTheTextsThatDiffer) {
  EXPECT_THAT(WithTemplate("first", kSpaced).warning,
              HasSubstr("no space to a text that begins neither with an added token nor with a "
                        "space or ▁"));
  EXPECT_THAT(WithTemplate("always", kSpaced).warning,
              HasSubstr("no space to a text that begins with another character than a space"));
}

TEST_F(GgufSpacePrefixTest, ATemplateThatCannotBeReadIsTakenForOneThatBeginsWithAToken) {
  const Choice choice = WithTemplate("first", "{% if %}");
  EXPECT_FALSE(choice.space_prefix);
  EXPECT_THAT(choice.warning, HasSubstr("chat_template.jinja"));
}

TEST_F(GgufSpacePrefixTest, OtherStepsAreRefused) {
  EXPECT_THAT(Refusal(nullptr, nullptr), HasSubstr("spaces stay spaces"));
  EXPECT_THAT(Refusal({{"type", "Lowercase"}}, nullptr), HasSubstr("Lowercase"));
  EXPECT_THAT(Refusal(kPrepended, Metaspace("always")), HasSubstr("no {\"prepend_scheme\""));
  Json metaspace = Metaspace("first");
  metaspace["split"] = true;
  EXPECT_THAT(Refusal(nullptr, metaspace), HasSubstr("Metaspace.split"));
  metaspace["replacement"] = "_";
  EXPECT_THAT(Refusal(nullptr, metaspace), HasSubstr("Metaspace.replacement"));
  EXPECT_THAT(Refusal(nullptr, {{"type", "Sequence"},
                                {"pretokenizers", {Metaspace("first"), Metaspace("always")}}}),
              HasSubstr("no {\"prepend_scheme\":\"always\""));
  normalized_ = true;
  EXPECT_THAT(Refusal(kPrepended, nullptr), HasSubstr("is normalized"));
  EXPECT_EQ(Refusal(nullptr, Metaspace("always")), "accepted");
}

}  // namespace
}  // namespace hone
