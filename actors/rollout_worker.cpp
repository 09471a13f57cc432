#include "actors/rollout_worker.h"

#include <algorithm>
#include <cstring>

#include "common/buffer.h"
#include "common/error.h"
#include "learner/policy_folder.h"

namespace hone {
namespace {

// Its even share of a batch, so that no worker hoards.
uint32_t Capacity(const RolloutSection& rollout) {
  return static_cast<uint32_t>((rollout.prompts_per_step + rollout.workers - 1) / rollout.workers);
}

GenerationParams Params(const Config& config, const GenerationConfig& generation) {
  const RolloutSection& rollout = config.rollout;
  GenerationParams params;
  params.sampling.temperature = static_cast<float>(rollout.temperature);
  params.sampling.top_p = static_cast<float>(rollout.top_p);
  params.sampling.top_k = static_cast<int32_t>(rollout.top_k);
  params.sampling.min_p = static_cast<float>(rollout.min_p);
  params.sampling.repetition_penalty = static_cast<float>(rollout.repetition_penalty);
  params.max_tokens = static_cast<int32_t>(rollout.max_completion_length);
  params.stop = rollout.stop;
  params.eos_token_ids = generation.eos_token_ids;
  params.ignore_eos = rollout.ignore_eos;
  params.seed = config.run.seed;
  return params;
}

EngineLimits Limits(const RunOptions& options) {
  const RolloutSection& rollout = options.config.rollout;
  EngineLimits limits;
  limits.max_sequences = static_cast<int32_t>(
      std::min<int64_t>(limits.max_sequences, Capacity(rollout) * rollout.num_generations));
  if (rollout.max_prompt_length > 0) {
    limits.max_length = static_cast<int32_t>(
        std::min<int64_t>(rollout.max_prompt_length + rollout.max_completion_length, INT32_MAX));
  }
  limits.activation_bytes = (options.config.learner.activation_cache_mib << 20) / rollout.workers;
  return limits;
}

// An injected fault: the same weights in memory of their own, one bit of them flipped.
std::shared_ptr<const Weights> FlipOneBit(const Weights& weights) {
  auto data = std::make_shared<Buffer<float>>(weights.data.size());
  std::memcpy(data->data(), weights.data.data(), weights.data.size_bytes());
  reinterpret_cast<uint8_t*>(data->data())[weights.data.size_bytes() / 3] ^= 0x10;
  auto corrupt = std::make_shared<Weights>(weights);
  corrupt->data = data->span();
  corrupt->owner = data;
  return corrupt;
}

}  // namespace

RolloutWorker::RolloutWorker(std::shared_ptr<Ring> ring, const std::string& identity)
    : Worker(std::move(ring), kRolloutWorker, identity) {}

void RolloutWorker::SetUp() {
  const RunOptions& options = ring().options;
  const ModelFolder& model = ring().model;
  backend_ = MakePolicyBackend(options.config.policy, model.config, options.threads);
  engine_ = std::make_unique<Engine>(*backend_, model.tokenizer.get(),
                                     Params(options.config, model.generation), Limits(options));
  link().Send(Credit{Capacity(options.config.rollout)});
}

Next RolloutWorker::Handle(Message message) {
  if (engine_ == nullptr) SetUp();
  if (auto* update = std::get_if<WeightsUpdate>(&message)) {
    Check(std::move(update->weights));
  } else if (auto* task = std::get_if<PromptTask>(&message)) {
    waiting_.push_back(std::move(*task));
  } else {
    throw WireError("a rollout worker takes weights and tasks only");
  }
  return Next::kGoOn;
}

void RolloutWorker::Check(std::shared_ptr<const Weights> weights) {
  if (ring().faults.TakeCorruption(weights->version)) weights = FlipOneBit(*weights);
  const auto elements = static_cast<int64_t>(weights->data.size());
  if (elements != backend_->layout().size) {
    throw UsageError("the weights have " + std::to_string(elements) + " elements, the model " +
                     std::to_string(backend_->layout().size) +
                     ": do all workers use the same policy.model?");
  }
  const Hash128 computed = Fingerprint(backend_->layout(), weights->data, &backend_->pool());
  if (computed != weights->fingerprint) {
    link().Send(WeightsRefused{
        weights->version,
        "expected the fingerprint " + weights->fingerprint.Hex() + ", computed " + computed.Hex()});
    return;
  }
  new_weights_ = std::move(weights);
}

Next RolloutWorker::Work(std::chrono::steady_clock::time_point deadline) {
  if (engine_ == nullptr) SetUp();
  TakeNewWeights();
  SubmitTasks();
  while (!engine_->idle()) {
    engine_->Step();
    link().Advance();
    for (const auto& [group, task] : running_) {
      const Next next = StrikeAt(group);
      if (next != Next::kGoOn) return next;
    }
    if (std::chrono::steady_clock::now() >= deadline) break;
  }
  SendResults();
  return Next::kGoOn;
}

void RolloutWorker::TakeNewWeights() {
  if (new_weights_ == nullptr || !engine_->idle()) return;
  weights_ = std::move(new_weights_);
  engine_->SetWeights(weights_);
  link().Send(WeightsHeld{weights_->version});
}

void RolloutWorker::SubmitTasks() {
  if (weights_ == nullptr) return;
  std::deque<PromptTask> later;
  for (PromptTask& task : waiting_) {
    if (task.version > weights_->version) {
      later.push_back(std::move(task));
      continue;
    }
    if (task.version < weights_->version) {
      throw RunError("group " + std::to_string(task.group_id) + " is to be sampled by version " +
                     std::to_string(task.version) + ", but this worker holds version " +
                     std::to_string(weights_->version));
    }
    GenerationRequest request;
    request.id = request.group = task.group_id;
    request.prompt_tokens = task.prompt_tokens;
    request.num_generations = task.num_generations;
    engine_->Submit(std::move(request));
    running_.insert_or_assign(task.group_id, std::move(task));
  }
  waiting_ = std::move(later);
}

void RolloutWorker::SendResults() {
  for (GenerationResult& result : engine_->TakeResults()) {
    auto task = running_.extract(result.id);
    ring().activations.Put(result.id, std::move(result.activations));
    link().Send(RolloutGroup{std::move(task.mapped()), std::move(result.completions)});
    link().Send(Credit{1});
  }
}

std::chrono::milliseconds RolloutWorker::patience() const {
  return engine_ == nullptr || !engine_->idle() ? std::chrono::milliseconds{0} : kSlice;
}

// A batch's groups come in a row, and all of them where there is no other worker. One that came
// after the others began would run behind them, and every forward would have fewer rows.
std::chrono::milliseconds RolloutWorker::lull() const {
  const RolloutSection& rollout = ring().options.config.rollout;
  const size_t expected = std::min<size_t>(Capacity(rollout), ring().groups_per_batch());
  const bool more = rollout.workers == 1 && waiting_.size() < expected;
  return std::chrono::milliseconds{!waiting_.empty() && running_.empty() && more ? 2 : 0};
}

std::string RolloutWorker::state() const {
  if (weights_ == nullptr) return "waits for weights";
  const std::string version = "version " + std::to_string(weights_->version);
  if (!running_.empty()) {
    return "samples " + std::to_string(running_.size()) + " groups from group " +
           std::to_string(running_.begin()->first) + " on with " + version;
  }
  if (!waiting_.empty()) {
    return "holds " + version + ", waits for version " + std::to_string(waiting_.front().version);
  }
  return "waits for tasks with " + version;
}

}  // namespace hone
