#include <flatbuffers/flatbuffers.h>

#include <cmath>
#include <cstring>

#include "common/buffer.h"
#include "transport/codec.h"
#include "transport/messages_generated.h"

namespace hone {
namespace {

// Deeper than any message nests (StepBatch: envelope, batch, group, rollout, completion; or group,
// record, verdict).
constexpr flatbuffers::uoffset_t kMaxDepth = 12;
// The least that a table takes: its offset in a list and its own offset to a vtable.
constexpr size_t kTableBytes = 8;
constexpr size_t kTensorAlignment = 64;

// The verifier proves that every reference lies inside the frame, not that no two meet: a small
// frame may refer to one large list a thousand times. What is unpacked is charged here, and in sum
// cannot be more than the frame holds unless bytes are shared.
class Budget {
 public:
  explicit Budget(size_t frame_bytes) : left_(frame_bytes) {}
  void Charge(size_t bytes) {
    if (bytes > left_) throw WireError("it refers to the same bytes more than once");
    left_ -= bytes;
  }

 private:
  size_t left_;
};

class Unpacker {
 public:
  explicit Unpacker(size_t frame_bytes) : budget_(frame_bytes) {}

  std::string Text(const flatbuffers::String* text) {
    budget_.Charge(text->size() + 4);
    return text->str();
  }

  template <class T>
  std::vector<T> List(const flatbuffers::Vector<T>* list) {
    budget_.Charge(list->size() * sizeof(T) + 4);
    std::vector<T> values(list->size());
    if (!values.empty()) std::memcpy(values.data(), list->Data(), values.size() * sizeof(T));
    return values;
  }

  template <class Wire>
  size_t Count(const flatbuffers::Vector<flatbuffers::Offset<Wire>>* list) {
    budget_.Charge(list->size() * kTableBytes + 4);
    return list->size();
  }

  hone::PromptTask Task(const wire::PromptTask& w);
  hone::Completion Sample(const wire::Completion& w);
  hone::RolloutGroup Rollout(const wire::RolloutGroup& w);
  hone::VerdictRecord Record(const wire::VerdictRecord& w);
  template <class Table>
  std::vector<hone::VerdictRecord> Records(const Table& w);
  hone::ScoredGroup Scored(const wire::ScoredGroup& w);
  hone::BatchMessage Batch(const wire::StepBatch& w);

 private:
  Budget budget_;
};

Hash128 PlainHash(const wire::Hash& hash) { return {hash.high(), hash.low()}; }

PromptTask Unpacker::Task(const wire::PromptTask& w) {
  PromptTask task;
  task.group_id = w.group_id();
  task.step = w.step();
  task.version = w.version();
  task.num_generations = w.num_generations();
  task.prompt_tokens = List(w.prompt_tokens());
  task.prompt = Text(w.prompt());
  task.columns = Text(w.columns());
  if (task.num_generations < 1) {
    throw WireError("group " + std::to_string(task.group_id) + " asks for " +
                    std::to_string(task.num_generations) + " completions");
  }
  if (task.prompt_tokens.empty()) {
    throw WireError("group " + std::to_string(task.group_id) + " has no prompt");
  }
  return task;
}

Completion Unpacker::Sample(const wire::Completion& w) {
  Completion sample;
  sample.tokens = List(w.tokens());
  sample.logprobs = List(w.logprobs());
  sample.entropies = List(w.entropies());
  const auto check = [&](size_t found, const char* what) {
    if (found == sample.tokens.size()) return;
    throw WireError("a completion has " + std::to_string(sample.tokens.size()) + " tokens, but " +
                    std::to_string(found) + " " + what);
  };
  check(sample.logprobs.size(), "log-probabilities");
  check(sample.entropies.size(), "entropies");
  if (w.finish_reason() > static_cast<uint8_t>(FinishReason::kLength)) {
    throw WireError("a completion has the unknown finish reason " +
                    std::to_string(w.finish_reason()));
  }
  sample.finish_reason = static_cast<FinishReason>(w.finish_reason());
  sample.version = w.version();
  sample.fingerprint = PlainHash(*w.fingerprint());
  return sample;
}

RolloutGroup Unpacker::Rollout(const wire::RolloutGroup& w) {
  RolloutGroup group;
  group.task = Task(*w.task());
  const size_t count = Count(w.completions());
  if (count != static_cast<size_t>(group.task.num_generations)) {
    throw WireError("group " + std::to_string(group.task.group_id) + " has " +
                    std::to_string(count) + " completions of " +
                    std::to_string(group.task.num_generations));
  }
  group.completions.reserve(count);
  for (const wire::Completion* c : *w.completions()) group.completions.push_back(Sample(*c));
  return group;
}

VerdictRecord Unpacker::Record(const wire::VerdictRecord& w) {
  VerdictRecord record;
  record.verifier = Text(w.name());
  record.judged = PlainHash(*w.judged());
  record.verdicts.reserve(Count(w.verdicts()));
  for (const wire::Verdict* v : *w.verdicts()) {
    if (v->cause() > static_cast<uint8_t>(ErrorCause::kMachine) || !std::isfinite(v->reward())) {
      throw WireError("a verdict of " + record.verifier + " has no number or an unknown cause");
    }
    Verdict& verdict = record.verdicts.emplace_back();
    verdict.reward = v->reward();
    verdict.cause = static_cast<ErrorCause>(v->cause());
    if (v->error() != nullptr) verdict.error = Text(v->error());
  }
  return record;
}

template <class Table>
std::vector<VerdictRecord> Unpacker::Records(const Table& w) {
  std::vector<VerdictRecord> records;
  records.reserve(Count(w.records()));
  for (const wire::VerdictRecord* record : *w.records()) records.push_back(Record(*record));
  return records;
}

ScoredGroup Unpacker::Scored(const wire::ScoredGroup& w) {
  ScoredGroup group;
  group.rollout = Rollout(*w.rollout());
  const size_t samples = group.rollout.completions.size();
  const auto check = [&](size_t rewards) {
    if (rewards == samples) return;
    throw WireError("group " + std::to_string(group.rollout.task.group_id) + " has " +
                    std::to_string(samples) + " completions, but " + std::to_string(rewards) +
                    " rewards");
  };
  Count(w.verifiers());
  for (const wire::VerifierRewards* v : *w.verifiers()) {
    group.verifier_names.push_back(Text(v->name()));
    group.rewards_VG.push_back(List(v->rewards()));
    group.seconds_V.push_back(v->seconds());
    check(group.rewards_VG.back().size());
  }
  group.rewards_G = List(w.rewards());
  check(group.rewards_G.size());
  Count(w.errors());
  for (const wire::VerifierError* error : *w.errors()) {
    if (error->verifier() >= group.verifier_names.size() || error->sample() >= samples ||
        error->cause() > static_cast<uint8_t>(ErrorCause::kMachine)) {
      throw WireError("group " + std::to_string(group.rollout.task.group_id) +
                      " has an error of a verifier, sample or cause that there is not");
    }
    group.errors.push_back({error->verifier(), error->sample(),
                            static_cast<ErrorCause>(error->cause()), Text(error->reason())});
  }
  group.records = Records(w);
  for (const VerdictRecord& record : group.records) {
    if (record.verdicts.size() == samples) continue;
    throw WireError("group " + std::to_string(group.rollout.task.group_id) + " has " +
                    std::to_string(samples) + " completions, but " +
                    std::to_string(record.verdicts.size()) + " verdicts of " + record.verifier);
  }
  return group;
}

BatchMessage Unpacker::Batch(const wire::StepBatch& w) {
  BatchMessage message;
  message.batch.step = w.step();
  message.batch.groups.reserve(Count(w.groups()));
  for (const wire::ScoredGroup* group : *w.groups()) {
    message.batch.groups.push_back(Scored(*group));
    const auto& groups = message.batch.groups;
    if (groups.size() > 1 &&
        groups[groups.size() - 2].rollout.task.group_id >= groups.back().rollout.task.group_id) {
      throw WireError("the groups of batch " + std::to_string(w.step()) + " are out of order");
    }
  }
  message.times = {w.rollout_seconds(), w.reward_seconds(), w.sync_seconds()};
  return message;
}

WeightsUpdate Update(const wire::WeightsUpdate& w, std::span<zmq::message_t> frames,
                     Tensors tensors) {
  if (frames.size() != 2) throw WireError("weights came without their tensors");
  const size_t bytes = frames[1].size();
  if (w.elements() == 0 || bytes % sizeof(float) != 0 || w.elements() != bytes / sizeof(float)) {
    throw WireError("weights of " + std::to_string(w.elements()) + " elements came with " +
                    std::to_string(bytes) + " bytes of tensors");
  }
  auto weights = std::make_shared<Weights>();
  weights->version = w.version();
  weights->fingerprint = PlainHash(*w.fingerprint());
  if (tensors == Tensors::kLeave) return {weights};
  const auto held = std::make_shared<zmq::message_t>();
  held->copy(frames[1]);
  const auto* data = static_cast<const float*>(held->data());
  if (reinterpret_cast<uintptr_t>(data) % kTensorAlignment == 0) {
    weights->data = {data, static_cast<size_t>(w.elements())};
    weights->owner = held;
  } else {
    auto aligned = std::make_shared<Buffer<float>>();
    aligned->Reserve(w.elements());
    std::memcpy(aligned->data(), held->data(), bytes);
    weights->data = aligned->span();
    weights->owner = aligned;
  }
  return {weights};
}

ExitCode PlainExitCode(uint8_t code) {
  switch (static_cast<ExitCode>(code)) {
    case ExitCode::kRunFailed:
    case ExitCode::kUsage:
    case ExitCode::kBadFile:
      return static_cast<ExitCode>(code);
    default:
      throw WireError("a fault has the unknown exit code " + std::to_string(code));
  }
}

Message Unpack(const wire::Envelope& envelope, Unpacker& unpack, std::span<zmq::message_t> frames,
               Tensors tensors) {
  switch (envelope.body_type()) {
    case wire::Body::Hello: {
      const auto* w = envelope.body_as_Hello();
      Hello hello{unpack.Text(w->role())};
      hello.version = unpack.Text(w->version());
      return hello;
    }
    case wire::Body::Welcome: {
      const auto* w = envelope.body_as_Welcome();
      Welcome welcome{w->seed(), unpack.Text(w->rewards()), unpack.Text(w->tokenizer()),
                      PlainHash(*w->tokenizer_hash())};
      const std::string& text = welcome.tokenizer;
      if (HashBytes(text.data(), text.size()) != welcome.tokenizer_hash) {
        throw WireError("its tokenizer has another fingerprint than it says");
      }
      return welcome;
    }
    case wire::Body::Refused:
      return Refused{unpack.Text(envelope.body_as_Refused()->text())};
    case wire::Body::Leave:
      return Leave{unpack.Text(envelope.body_as_Leave()->reason())};
    case wire::Body::Heartbeat: {
      const auto* w = envelope.body_as_Heartbeat();
      return Heartbeat{w->progress(), unpack.Text(w->state())};
    }
    case wire::Body::Credit:
      return Credit{envelope.body_as_Credit()->groups()};
    case wire::Body::BatchCredit: {
      const auto* w = envelope.body_as_BatchCredit();
      return BatchCredit{w->step(), w->version(), w->first_group(), w->groups()};
    }
    case wire::Body::PromptTask:
      return unpack.Task(*envelope.body_as_PromptTask());
    case wire::Body::RolloutGroup:
      return unpack.Rollout(*envelope.body_as_RolloutGroup());
    case wire::Body::ScoredGroup:
      return unpack.Scored(*envelope.body_as_ScoredGroup());
    case wire::Body::StepBatch:
      return unpack.Batch(*envelope.body_as_StepBatch());
    case wire::Body::Trained:
      return Trained{envelope.body_as_Trained()->step()};
    case wire::Body::WeightsUpdate:
      return Update(*envelope.body_as_WeightsUpdate(), frames, tensors);
    case wire::Body::WeightsHeld:
      return WeightsHeld{envelope.body_as_WeightsHeld()->version()};
    case wire::Body::WeightsRefused: {
      const auto* w = envelope.body_as_WeightsRefused();
      return WeightsRefused{w->version(), unpack.Text(w->text())};
    }
    case wire::Body::Fault: {
      const auto* w = envelope.body_as_Fault();
      return Fault{PlainExitCode(w->exit_code()), unpack.Text(w->text())};
    }
    case wire::Body::Stop:
      return Stop{unpack.Text(envelope.body_as_Stop()->reason())};
    case wire::Body::KnownVerdicts: {
      const auto* w = envelope.body_as_KnownVerdicts();
      return KnownVerdicts{w->group_id(), unpack.Records(*w)};
    }
    case wire::Body::NONE:
      break;
  }
  throw WireError("unknown kind " + std::to_string(static_cast<int>(envelope.body_type())));
}

}  // namespace

Message Decode(std::span<zmq::message_t> frames, Tensors tensors) {
  if (frames.empty()) throw WireError("no frames");
  const auto* bytes = frames[0].data<uint8_t>();
  const size_t size = frames[0].size();
  if (size >= FLATBUFFERS_MAX_BUFFER_SIZE) throw WireError("its table is over 2 GiB");
  // Frames that came in one packet with others may lie anywhere; scalars are read where they lie.
  std::vector<uint64_t> aligned;
  if (reinterpret_cast<uintptr_t>(bytes) % alignof(uint64_t) != 0) {
    aligned.resize(size / sizeof(uint64_t) + 1);
    std::memcpy(aligned.data(), bytes, size);
    bytes = reinterpret_cast<const uint8_t*>(aligned.data());
  }
  const auto max_tables = static_cast<flatbuffers::uoffset_t>(size / kTableBytes + 1);
  flatbuffers::Verifier verifier(bytes, size, kMaxDepth, max_tables);
  if (!wire::VerifyEnvelopeBuffer(verifier)) throw WireError("it does not match the schema");
  const wire::Envelope& envelope = *wire::GetEnvelope(bytes);
  if (envelope.schema() != kSchemaVersion) {
    throw WireError("its schema is " + std::to_string(envelope.schema()) + ", this program's " +
                    std::to_string(kSchemaVersion));
  }
  if (frames.size() > 1 && envelope.body_type() != wire::Body::WeightsUpdate) {
    throw WireError("it has " + std::to_string(frames.size()) + " frames instead of one");
  }
  Unpacker unpack(size);
  return Unpack(envelope, unpack, frames, tensors);
}

}  // namespace hone
