// `hone logprobs`: what is printed, in float and in double.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "program.h"

namespace hone {
namespace {

class LogprobsTest : public testing::Test {
 protected:
  LogprobsTest() {
    const std::string quickstart = std::string(HONE_SOURCE_DIR) + "/configs/quickstart";
    place_.Ok({"init-model", "--config", quickstart + "/model.json", "--tokenizer",
               quickstart + "/tokenizer.json", "--seed", "5", "--output", "model"});
    place_.Write("input.jsonl", "{\"tokens\": [5, 9, 3, 12, 7, 7, 20, 4]}\n{\"tokens\": [6, 2]}\n");
  }

  std::vector<std::string> Command(std::vector<std::string> flags) const {
    flags.insert(flags.begin(), {"logprobs", "--input", "input.jsonl"});
    if (std::find(flags.begin(), flags.end(), "--model") == flags.end())
      flags.insert(flags.end(), {"--model", "model"});
    return flags;
  }

  std::vector<double> Logprobs(const std::vector<std::string>& flags) const {
    std::vector<double> logprobs;
    std::istringstream out(place_.Ok(Command(flags)));
    for (std::string line; std::getline(out, line);) {
      const auto values = nlohmann::json::parse(line).at("logprobs").get<std::vector<double>>();
      logprobs.insert(logprobs.end(), values.begin(), values.end());
    }
    return logprobs;
  }

  Workplace place_;
};

TEST_F(LogprobsTest, Float64PrintsDoublesThatExactIsNear) {
  for (const char* temperature : {"1", "0.7"}) {
    const auto exact = Logprobs({"--temperature", temperature}),
               doubles =
                   Logprobs({"--temperature", temperature, "--backend", "torch", "--float64"});
    ASSERT_EQ(exact.size(), 8u);
    ASSERT_EQ(doubles.size(), 8u);
    size_t finer = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
      EXPECT_NEAR(exact[i], doubles[i], 1e-5) << i;
      EXPECT_EQ(exact[i], static_cast<float>(exact[i])) << i;
      finer += doubles[i] != static_cast<float>(doubles[i]);
    }
    EXPECT_GE(finer, 7u);
  }
}

// The norms of a new model are ones, which bf16 holds.
TEST_F(LogprobsTest, OfBf16TheyAreThoseOfItsExport) {
  place_.Ok({"export", "model", "--output", "exported", "--dtype", "bf16"});
  const auto bf16 = Logprobs({"--dtype", "bf16"});
  EXPECT_EQ(bf16, Logprobs({"--model", "exported"}));
  EXPECT_EQ(bf16, Logprobs({"--model", "exported", "--dtype", "bf16"}));
  EXPECT_NE(bf16, Logprobs({}));
  const auto doubles = Logprobs({"--dtype", "bf16", "--backend", "torch", "--float64"});
  for (size_t i = 0; i < bf16.size(); ++i) EXPECT_NEAR(bf16[i], doubles[i], 1e-5) << i;
}

TEST_F(LogprobsTest, Float64IsOfTheTorchBackend) {
  const Outcome outcome = place_.Run(Command({"--float64"}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("float64 is of the torch backend"), std::string::npos) << outcome.err;
}

TEST_F(LogprobsTest, ATemperatureThatFloatCannotHoldIsRefused) {
  for (const char* temperature : {"0", "-1", "1e-50", "1e50", "nan"}) {
    const Outcome outcome = place_.Run(Command({"--temperature", temperature}));
    EXPECT_EQ(outcome.exit_code, 2) << temperature;
    EXPECT_NE(outcome.err.find("--temperature"), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace hone
