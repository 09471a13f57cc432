#include <flatbuffers/flatbuffers.h>

#include "transport/codec.h"
#include "transport/messages_generated.h"

namespace hone {
namespace {

using Builder = flatbuffers::FlatBufferBuilder;
template <class T>
using Offset = flatbuffers::Offset<T>;

wire::Hash WireHash(const Hash128& hash) { return {hash.high, hash.low}; }

Offset<wire::PromptTask> Build(Builder& b, const PromptTask& task) {
  const auto tokens = b.CreateVector(task.prompt_tokens);
  const auto prompt = b.CreateString(task.prompt);
  const auto columns = b.CreateString(task.columns);
  return wire::CreatePromptTask(b, task.group_id, task.step, task.version, task.num_generations,
                                tokens, prompt, columns);
}

Offset<wire::RolloutGroup> Build(Builder& b, const RolloutGroup& group) {
  std::vector<Offset<wire::Completion>> completions;
  completions.reserve(group.completions.size());
  for (const Completion& c : group.completions) {
    const auto tokens = b.CreateVector(c.tokens);
    const auto logprobs = b.CreateVector(c.logprobs);
    const auto entropies = b.CreateVector(c.entropies);
    const wire::Hash fingerprint = WireHash(c.fingerprint);
    completions.push_back(wire::CreateCompletion(b, tokens, logprobs, entropies,
                                                 static_cast<uint8_t>(c.finish_reason), c.version,
                                                 &fingerprint));
  }
  const auto task = Build(b, group.task);
  const auto list = b.CreateVector(completions);
  return wire::CreateRolloutGroup(b, task, list);
}

Offset<wire::VerdictRecord> Build(Builder& b, const VerdictRecord& record) {
  std::vector<Offset<wire::Verdict>> verdicts;
  verdicts.reserve(record.verdicts.size());
  for (const Verdict& verdict : record.verdicts) {
    const auto error = verdict.error ? b.CreateString(*verdict.error) : 0;
    verdicts.push_back(
        wire::CreateVerdict(b, verdict.reward, error, static_cast<uint8_t>(verdict.cause)));
  }
  const auto name = b.CreateString(record.verifier);
  const auto list = b.CreateVector(verdicts);
  const wire::Hash judged = WireHash(record.judged);
  return wire::CreateVerdictRecord(b, name, &judged, list);
}

auto Build(Builder& b, const std::vector<VerdictRecord>& records) {
  std::vector<Offset<wire::VerdictRecord>> list;
  for (const VerdictRecord& record : records) list.push_back(Build(b, record));
  return b.CreateVector(list);
}

Offset<wire::KnownVerdicts> Build(Builder& b, const KnownVerdicts& m) {
  return wire::CreateKnownVerdicts(b, m.group_id, Build(b, m.records));
}

Offset<wire::ScoredGroup> Build(Builder& b, const ScoredGroup& group) {
  if (group.verifier_names.size() != group.rewards_VG.size()) {
    throw RunError("a scored group has " + std::to_string(group.verifier_names.size()) +
                   " verifiers, but rewards of " + std::to_string(group.rewards_VG.size()));
  }
  if (!group.seconds_V.empty() && group.seconds_V.size() != group.verifier_names.size()) {
    throw RunError("a scored group has " + std::to_string(group.verifier_names.size()) +
                   " verifiers, but times of " + std::to_string(group.seconds_V.size()));
  }
  std::vector<Offset<wire::VerifierRewards>> verifiers;
  for (size_t v = 0; v < group.verifier_names.size(); ++v) {
    const auto name = b.CreateString(group.verifier_names[v]);
    const auto rewards = b.CreateVector(group.rewards_VG[v]);
    const double seconds = group.seconds_V.empty() ? 0 : group.seconds_V[v];
    verifiers.push_back(wire::CreateVerifierRewards(b, name, rewards, seconds));
  }
  std::vector<Offset<wire::VerifierError>> errors;
  for (const VerifierError& error : group.errors) {
    const auto reason = b.CreateString(error.reason);
    errors.push_back(wire::CreateVerifierError(b, error.verifier, error.sample,
                                               static_cast<uint8_t>(error.cause), reason));
  }
  const auto rollout = Build(b, group.rollout);
  const auto verifier_list = b.CreateVector(verifiers);
  const auto rewards = b.CreateVector(group.rewards_G);
  const auto error_list = b.CreateVector(errors);
  const auto records = Build(b, group.records);
  return wire::CreateScoredGroup(b, rollout, verifier_list, rewards, error_list, records);
}

Offset<wire::StepBatch> Build(Builder& b, const BatchMessage& message) {
  std::vector<Offset<wire::ScoredGroup>> groups;
  groups.reserve(message.batch.groups.size());
  for (const ScoredGroup& group : message.batch.groups) groups.push_back(Build(b, group));
  const auto list = b.CreateVector(groups);
  return wire::CreateStepBatch(b, message.batch.step, list, message.times.rollout,
                               message.times.reward, message.times.sync);
}

Offset<wire::Hello> Build(Builder& b, const Hello& m) {
  const auto role = b.CreateString(m.role);
  return wire::CreateHello(b, role, b.CreateString(m.version));
}

Offset<wire::Welcome> Build(Builder& b, const Welcome& m) {
  const auto rewards = b.CreateString(m.rewards);
  const auto tokenizer = b.CreateString(m.tokenizer);
  const wire::Hash hash = WireHash(m.tokenizer_hash);
  return wire::CreateWelcome(b, m.seed, rewards, tokenizer, &hash);
}

Offset<wire::Refused> Build(Builder& b, const Refused& m) {
  return wire::CreateRefused(b, b.CreateString(m.text));
}

Offset<wire::Leave> Build(Builder& b, const Leave& m) {
  return wire::CreateLeave(b, b.CreateString(m.reason));
}

Offset<wire::Heartbeat> Build(Builder& b, const Heartbeat& m) {
  return wire::CreateHeartbeat(b, m.progress, b.CreateString(m.state));
}

Offset<wire::Credit> Build(Builder& b, const Credit& m) { return wire::CreateCredit(b, m.groups); }

Offset<wire::BatchCredit> Build(Builder& b, const BatchCredit& m) {
  return wire::CreateBatchCredit(b, m.step, m.version, m.first_group, m.groups);
}

Offset<wire::Trained> Build(Builder& b, const Trained& m) { return wire::CreateTrained(b, m.step); }

Offset<wire::WeightsUpdate> Build(Builder& b, const WeightsUpdate& m) {
  const wire::Hash fingerprint = WireHash(m.weights->fingerprint);
  return wire::CreateWeightsUpdate(b, m.weights->version, &fingerprint, m.weights->data.size());
}

Offset<wire::WeightsHeld> Build(Builder& b, const WeightsHeld& m) {
  return wire::CreateWeightsHeld(b, m.version);
}

Offset<wire::WeightsRefused> Build(Builder& b, const WeightsRefused& m) {
  return wire::CreateWeightsRefused(b, m.version, b.CreateString(m.text));
}

Offset<wire::Fault> Build(Builder& b, const Fault& m) {
  return wire::CreateFault(b, static_cast<uint8_t>(m.code), b.CreateString(m.text));
}

Offset<wire::Stop> Build(Builder& b, const Stop& m) {
  return wire::CreateStop(b, b.CreateString(m.reason));
}

// The frame takes over the builder's memory.
zmq::message_t TableFrame(Builder& builder) {
  auto* buffer = new flatbuffers::DetachedBuffer(builder.Release());
  const auto release = [](void*, void* hint) {
    delete static_cast<flatbuffers::DetachedBuffer*>(hint);
  };
  return zmq::message_t(buffer->data(), buffer->size(), release, buffer);
}

// The frame lends out the weights' memory and holds a reference to them.
zmq::message_t TensorFrame(const std::shared_ptr<const Weights>& weights) {
  auto* held = new std::shared_ptr<const Weights>(weights);
  const auto release = [](void*, void* hint) {
    delete static_cast<std::shared_ptr<const Weights>*>(hint);
  };
  // ZeroMQ takes a pointer to non-const and never writes through it.
  void* data = const_cast<float*>(weights->data.data());
  return zmq::message_t(data, weights->data.size_bytes(), release, held);
}

// FlatBuffers counts in 31 bits, and checks that only in debug builds.
void CheckSize(const BatchMessage& message) {
  size_t bytes = 0;
  for (const ScoredGroup& group : message.batch.groups) {
    const PromptTask& task = group.rollout.task;
    bytes += 256 + task.prompt_tokens.size() * 4 + task.prompt.size() + task.columns.size();
    for (const Completion& c : group.rollout.completions) bytes += 128 + c.tokens.size() * 12;
    for (const auto& rewards : group.rewards_VG) bytes += 128 + rewards.size() * 4;
    for (const VerifierError& error : group.errors) bytes += 64 + error.reason.size();
    for (const VerdictRecord& record : group.records) {
      for (const Verdict& verdict : record.verdicts) {
        bytes += 64 + verdict.error.value_or("").size();
      }
    }
  }
  if (bytes >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    throw RunError("a generation batch of " + std::to_string(bytes) +
                   " bytes is over the 2 GiB of one message: lower rollout.prompts_per_step");
  }
}

template <class T>
wire::Body BodyType(Offset<T>) {
  return wire::BodyTraits<T>::enum_value;
}

}  // namespace

Frames Encode(const Message& message) {
  if (const auto* batch = std::get_if<BatchMessage>(&message)) CheckSize(*batch);
  Builder builder(1024);
  std::visit(
      [&](const auto& m) {
        const auto body = Build(builder, m);
        wire::FinishEnvelopeBuffer(
            builder, wire::CreateEnvelope(builder, kSchemaVersion, BodyType(body), body.Union()));
      },
      message);
  Frames frames;
  frames.push_back(TableFrame(builder));
  if (const auto* update = std::get_if<WeightsUpdate>(&message)) {
    frames.push_back(TensorFrame(update->weights));
  }
  return frames;
}

Frames Share(std::span<zmq::message_t> frames) {
  Frames shared(frames.size());
  for (size_t i = 0; i < frames.size(); ++i) shared[i].copy(frames[i]);
  return shared;
}

}  // namespace hone
