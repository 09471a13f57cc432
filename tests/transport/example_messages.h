// One message of every kind, with contents that differ in every field.
#pragma once

#include <vector>

#include "common/buffer.h"
#include "policy/model/weights.h"
#include "transport/messages.h"

namespace hone {

inline PromptTask ExampleTask(uint64_t group = 41) {
  return {group, 5, 6, 2, {7, 8, 9}, "1+1=", R"({"prompt":"1+1=","answer":"2"})"};
}

inline RolloutGroup ExampleRollout(uint64_t group = 41) {
  RolloutGroup rollout{ExampleTask(group), {}};
  rollout.completions.push_back(
      {{10, 11, 12}, {-0.5f, -1.5f, -0.0f}, {0.25f, 1.75f, 0.0f}, FinishReason::kStop, 6, {1, 2}});
  rollout.completions.push_back({{13}, {-2.25f}, {2.5f}, FinishReason::kLength, 6, {1, 2}});
  return rollout;
}

inline std::vector<VerdictRecord> ExampleRecords() {
  return {{"accuracy", {3, 4}, {{0, "no answer", ErrorCause::kTimeout}, {-0.1}}}};
}

inline ScoredGroup ExampleScored(uint64_t group = 41) {
  return {ExampleRollout(group),
          {"format", "accuracy"},
          {{1, 0}, {0.5f, 0.25f}},
          {1.5f, 0.25f},
          {{1, 0, ErrorCause::kTimeout, "no answer"}},
          {0.125, 2.5},
          ExampleRecords()};
}

// Weights of `elements` values in memory of their own. The fingerprint is a claim, as on the wire.
inline std::shared_ptr<const Weights> ExampleWeights(size_t elements = 1024, uint64_t version = 3) {
  auto data = std::make_shared<Buffer<float>>(elements);
  for (size_t i = 0; i < elements; ++i) (*data)[i] = static_cast<float>(i) * 0.5f;
  auto weights = std::make_shared<Weights>();
  weights->version = version;
  weights->fingerprint = HashBytes(data->data(), data->size() * sizeof(float));
  weights->data = data->span();
  weights->owner = data;
  return weights;
}

inline std::vector<Message> ExampleMessages() {
  return {Hello{"rollout_worker", "0.1.0"},
          Heartbeat{17, "waits for prompts"},
          Credit{4},
          BatchCredit{5, 6, 40, 8},
          ExampleTask(),
          ExampleRollout(),
          ExampleScored(),
          BatchMessage{{5, {ExampleScored(40), ExampleScored(41)}}, {1.5, 0.25, 0.125}},
          Trained{5},
          WeightsUpdate{ExampleWeights()},
          WeightsHeld{6},
          WeightsRefused{6, "another fingerprint"},
          Fault{ExitCode::kBadFile, "model.safetensors is gone"},
          Stop{"the run is over"},
          KnownVerdicts{41, ExampleRecords()},
          Welcome{7, "[[reward]]\nverifier = \"math\"\n", "{}", HashBytes("{}", 2)},
          Refused{"another version"},
          Leave{"it was told to stop"}};
}

}  // namespace hone
