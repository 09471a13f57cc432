#include "rollout/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "common/error.h"
#include "rollout/activation_recorder.h"
#include "rollout/scheduler.h"

namespace hone {
namespace {

constexpr int64_t kDefaultCacheBytes = int64_t{1} << 30;
// Logits that make it worth waking one more thread to draw from them.
constexpr int64_t kLogitsPerThread = int64_t{1} << 12;

int64_t BytesPerPage(const ModelConfig& config, int32_t page_size) {
  return 2 * config.num_layers * config.kv_dim() * page_size * static_cast<int64_t>(sizeof(float));
}

EngineLimits CheckLimits(EngineLimits limits, const ModelConfig& config) {
  if (limits.max_sequences < 1) throw UsageError("max_sequences: expected at least 1");
  if (limits.max_batch_tokens < 1) throw UsageError("max_batch_tokens: expected at least 1");
  if (limits.cache_bytes < 0) throw UsageError("cache_bytes: expected 0 or more");
  CheckPageSize(limits.page_size);
  if (limits.max_length < 0) throw UsageError("max_length: expected 0 or more");
  if (limits.activation_bytes < 0) throw UsageError("activation_bytes: expected 0 or more");
  const auto positions = static_cast<int32_t>(config.max_position_embeddings);
  if (limits.max_length == 0 || limits.max_length > positions) limits.max_length = positions;
  return limits;
}

GenerationParams CheckParams(const GenerationParams& params, const Tokenizer* tokenizer) {
  CheckSampling(params.sampling);
  if (params.max_tokens < 1) throw UsageError("max_tokens: expected at least 1");
  if (!params.stop.empty() && tokenizer == nullptr) {
    throw UsageError("stop: stop strings need the model's tokenizer.json, and it has none");
  }
  for (const std::string& stop : params.stop) {
    if (stop.empty()) throw UsageError("stop: expected text, found an empty string");
  }
  return params;
}

int32_t CachePages(const EngineLimits& limits, const ModelConfig& config) {
  const int64_t longest = PagesFor(limits.max_length, limits.page_size),
                page_bytes = BytesPerPage(config, limits.page_size);
  int64_t pages = limits.cache_bytes / page_bytes;
  if (limits.cache_bytes == 0) {
    pages = std::min(longest * limits.max_sequences, kDefaultCacheBytes / page_bytes);
    pages = std::max(pages, longest);
  }
  if (pages < 1) {
    throw UsageError(fmt::format("cache_bytes: expected at least one page of {} bytes, found {}",
                                 page_bytes, limits.cache_bytes));
  }
  // No position of the cache beyond an int32_t.
  const int64_t most = std::numeric_limits<int32_t>::max() / limits.page_size;
  return static_cast<int32_t>(std::min(pages, most));
}

}  // namespace

class Engine::Impl {
 public:
  Impl(Backend& backend, const Tokenizer* tokenizer, const GenerationParams& params,
       const EngineLimits& limits)
      : backend_(backend),
        tokenizer_(tokenizer),
        params_(CheckParams(params, tokenizer)),
        limits_(CheckLimits(limits, backend.config())),
        scheduler_(CachePages(limits_, backend.config()), limits_.max_sequences,
                   limits_.max_batch_tokens, limits_.page_size),
        cache_(backend.NewCache(scheduler_.pool().size(), limits_.page_size)),
        recorder_(limits_.activation_bytes),
        pool_(backend.pool()) {
    for (int i = 0; i < pool_.threads(); ++i) samplers_.emplace_back(kernels::DetectIsa());
  }

  void Submit(GenerationRequest request);
  bool Step();
  bool idle() const { return scheduler_.empty(); }
  std::vector<GenerationResult> TakeResults() { return std::exchange(results_, {}); }
  void SetWeights(std::shared_ptr<const Weights> weights);
  EngineStats stats() const;

 private:
  // One token to draw: for this sequence, from this row of the logits.
  struct DrawJob {
    Sequence* sequence = nullptr;
    size_t row = 0;
    Draw draw;
  };

  void CheckRequest(const GenerationRequest& request) const;
  void Forward();
  void ListDraws();
  void DrawAll();
  void DrawOne(Sampler& sampler, DrawJob& job) const;
  bool Append(Sequence& sequence, const Draw& draw, FinishReason* reason);
  void Finish(Sequence& sequence, FinishReason reason);

  Backend& backend_;
  const Tokenizer* tokenizer_;
  const GenerationParams params_;
  const EngineLimits limits_;
  Scheduler scheduler_;
  std::unique_ptr<KvCache> cache_;
  ActivationRecorder recorder_;
  ThreadPool& pool_;
  std::vector<Sampler> samplers_;  // one a thread
  uint64_t submitted_ = 0;
  std::vector<GenerationResult> results_;
  EngineStats stats_;

  // Of the step at hand; kept for their memory.
  Batch batch_;
  std::vector<ScheduledRows> scheduled_;
  std::vector<int32_t> output_rows_;
  Buffer<float> logits_RV_;
  std::vector<DrawJob> draws_;
};

void Engine::Impl::CheckRequest(const GenerationRequest& request) const {
  const auto vocab = static_cast<int32_t>(backend_.config().vocab_size);
  const auto length = static_cast<int64_t>(request.prompt_tokens.size());
  if (length == 0) throw UsageError("the prompt has no token");
  if (request.num_generations < 1) throw UsageError("num_generations: expected at least 1");
  for (const int32_t token : request.prompt_tokens) {
    if (token < 0 || token >= vocab) {
      throw UsageError(
          fmt::format("the prompt holds token {}; the model has tokens 0 to {}", token, vocab - 1));
    }
  }
  if (length >= limits_.max_length) {
    throw UsageError(fmt::format(
        "the prompt has {} tokens, which leaves no room for a completion: prompt and completion "
        "may have {} together",
        length, limits_.max_length));
  }
  const int64_t longest = std::min<int64_t>(length + params_.max_tokens, limits_.max_length);
  const int32_t pages = PagesFor(longest, limits_.page_size);
  if (pages > scheduler_.pool().size()) {
    throw UsageError(fmt::format(
        "cache_bytes: prompt and completion of up to {} tokens need {} bytes of cache, found {}",
        longest, pages * BytesPerPage(backend_.config(), limits_.page_size), cache_->bytes()));
  }
}

void Engine::Impl::Submit(GenerationRequest request) {
  CheckRequest(request);
  if (scheduler_.empty()) recorder_.Begin();
  auto group = std::make_shared<Group>();
  group->id = request.id;
  group->ordinal = submitted_++;
  group->address = request.group;
  group->prompt_length = static_cast<int32_t>(request.prompt_tokens.size());
  group->unfinished = request.num_generations;
  group->completions.resize(static_cast<size_t>(request.num_generations));
  auto leader = std::make_unique<Sequence>();
  leader->group = std::move(group);
  leader->tokens = std::move(request.prompt_tokens);
  scheduler_.Add(std::move(leader));
}

bool Engine::Impl::Step() {
  if (!scheduler_.Plan(&batch_, &scheduled_)) return false;
  Forward();
  recorder_.Note(scheduled_);
  scheduler_.Commit(scheduled_);
  ListDraws();
  DrawAll();
  for (const DrawJob& job : draws_) {
    FinishReason reason;
    if (Append(*job.sequence, job.draw, &reason)) Finish(*job.sequence, reason);
  }
  stats_.drawn += static_cast<int64_t>(draws_.size());
  return true;
}

void Engine::Impl::Forward() {
  output_rows_.clear();
  for (const ScheduledRows& part : scheduled_) {
    if (part.complete) output_rows_.push_back(part.last_row);
  }
  logits_RV_.Reserve(output_rows_.size() * static_cast<size_t>(backend_.config().vocab_size));
  backend_.Forward(batch_, *cache_, output_rows_, logits_RV_.span(), recorder_.target());
  ++stats_.forwards;
  stats_.rows += batch_.rows();
}

// The end of a prompt gives the first token of every sample of its group; any other row, one of its
// own.
void Engine::Impl::ListDraws() {
  draws_.clear();
  size_t row = 0;
  for (const ScheduledRows& part : scheduled_) {
    if (!part.complete) continue;
    Sequence& sequence = *part.sequence;
    draws_.push_back({&sequence, row, {}});
    if (sequence.completion_length() == 0) {
      // What is drawn, up to a size beyond which growing costs little beside the forward.
      const auto room = static_cast<size_t>(std::min(params_.max_tokens, 1024));
      sequence.tokens.reserve(sequence.tokens.size() + room);
      sequence.logprobs.reserve(room);
      sequence.pages.reserve(
          PagesFor(static_cast<int64_t>(sequence.tokens.size() + room), limits_.page_size));
      sequence.entropies.reserve(room);
      const auto samples = static_cast<uint32_t>(sequence.group->completions.size());
      for (uint32_t sample = 1; sample < samples; ++sample) {
        draws_.push_back({scheduler_.Fork(sequence, sample), row, {}});
      }
    }
    ++row;
  }
}

void Engine::Impl::DrawAll() {
  const auto count = static_cast<int64_t>(draws_.size());
  const int64_t logits = count * backend_.config().vocab_size;
  const int64_t parts = std::clamp<int64_t>(logits / kLogitsPerThread, 1, pool_.threads());
  pool_.For(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      for (int64_t i = count * part / parts; i < count * (part + 1) / parts; ++i) {
        DrawOne(samplers_[part], draws_[i]);
      }
    }
  });
}

void Engine::Impl::DrawOne(Sampler& sampler, DrawJob& job) const {
  const Sequence& sequence = *job.sequence;
  const auto vocab = static_cast<size_t>(backend_.config().vocab_size);
  const Address address{Purpose::kSampleToken, sequence.group->address, sequence.sample,
                        static_cast<uint32_t>(sequence.completion_length())};
  job.draw = sampler.Sample(logits_RV_.span().subspan(job.row * vocab, vocab), params_.sampling,
                            sequence.tokens, params_.seed, address);
}

// True when the completion ends with this token.
bool Engine::Impl::Append(Sequence& sequence, const Draw& draw, FinishReason* reason) {
  sequence.tokens.push_back(draw.token);
  sequence.logprobs.push_back(draw.logprob);
  sequence.entropies.push_back(draw.entropy);
  const auto& eos = params_.eos_token_ids;
  bool stopped = !params_.ignore_eos && std::find(eos.begin(), eos.end(), draw.token) != eos.end();
  if (!params_.stop.empty()) {
    stopped |= sequence.stop.Push(tokenizer_->Bytes(draw.token), params_.stop);
  }
  *reason = stopped ? FinishReason::kStop : FinishReason::kLength;
  return stopped || sequence.completion_length() >= params_.max_tokens ||
         sequence.length() >= limits_.max_length;
}

void Engine::Impl::Finish(Sequence& sequence, FinishReason reason) {
  const std::unique_ptr<Sequence> finished = scheduler_.Remove(sequence);
  Group& group = *finished->group;
  recorder_.Finish(*finished);
  Completion& completion = group.completions[finished->sample];
  completion.tokens.assign(finished->tokens.begin() + group.prompt_length, finished->tokens.end());
  completion.logprobs = std::move(finished->logprobs);
  completion.entropies = std::move(finished->entropies);
  completion.finish_reason = reason;
  completion.version = backend_.weights().version;
  completion.fingerprint = backend_.weights().fingerprint;
  if (--group.unfinished > 0) return;
  std::shared_ptr<const GroupActivations> activations =
      recorder_.Take(group, backend_.weights().fingerprint);
  results_.push_back({group.id, std::move(group.completions), std::move(activations)});
}

void Engine::Impl::SetWeights(std::shared_ptr<const Weights> weights) {
  if (!idle()) throw RunError("weights can be changed only between groups: some still run");
  backend_.SetWeights(std::move(weights));
}

EngineStats Engine::Impl::stats() const {
  EngineStats stats = stats_;
  stats.preemptions = scheduler_.preemptions();
  return stats;
}

Engine::Engine(Backend& backend, const Tokenizer* tokenizer, const GenerationParams& params,
               const EngineLimits& limits)
    : impl_(std::make_unique<Impl>(backend, tokenizer, params, limits)) {}
Engine::~Engine() = default;
void Engine::Submit(GenerationRequest request) { impl_->Submit(std::move(request)); }
bool Engine::Step() { return impl_->Step(); }
bool Engine::idle() const { return impl_->idle(); }
std::vector<GenerationResult> Engine::TakeResults() { return impl_->TakeResults(); }
void Engine::SetWeights(std::shared_ptr<const Weights> weights) {
  impl_->SetWeights(std::move(weights));
}
EngineStats Engine::stats() const { return impl_->stats(); }

}  // namespace hone
