#include "policy/backend.h"

#include <fmt/format.h>

#include "common/error.h"
#include "common/nearest.h"
#include "kernels/attention.h"
#include "policy/model/exact_backend.h"
#include "policy/model/torch_module.h"

namespace hone {
namespace {

void CheckExperts(const ModelConfig& config) {
  if (config.sparse.empty()) return;
  if (static_cast<int64_t>(config.sparse.size()) != config.num_layers) {
    throw UsageError(
        fmt::format("a model with experts says of each of its {} layers whether it "
                    "has some; found {} answers",
                    config.num_layers, config.sparse.size()));
  }
  if (config.post_norms || config.mlp_bias)
    throw UsageError("a model with experts has no norms after its branches and no mlp_bias");
  if (config.expert_size <= 0 || config.experts_per_token <= 0 ||
      config.experts_per_token > config.num_experts) {
    throw UsageError(fmt::format(
        "experts must have a size, and a token one of them at least and all at most; found {} "
        "experts of size {}, {} a token",
        config.num_experts, config.expert_size, config.experts_per_token));
  }
}

void CheckConfig(const ModelConfig& config) {
  struct Size {
    const char* name;
    int64_t value;
  };
  for (const Size& size : {Size{"vocab_size", config.vocab_size},
                           {"hidden_size", config.hidden_size},
                           {"intermediate_size", config.intermediate_size},
                           {"num_hidden_layers", config.num_layers},
                           {"num_attention_heads", config.num_heads},
                           {"num_key_value_heads", config.num_kv_heads},
                           {"head_dim", config.head_dim},
                           {"max_position_embeddings", config.max_position_embeddings}}) {
    if (size.value <= 0)
      throw UsageError(
          fmt::format("a model's {} must be positive, found {}", size.name, size.value));
  }
  if (config.num_heads % config.num_kv_heads != 0) {
    throw UsageError(fmt::format(
        "num_attention_heads must be a multiple of num_key_value_heads, found {} and {}",
        config.num_heads, config.num_kv_heads));
  }
  if (config.head_dim % 2 != 0) {
    throw UsageError(fmt::format("head_dim must be even (rotary embedding turns pairs), found {}",
                                 config.head_dim));
  }
  CheckExperts(config);
}

void CheckOneOf(const char* what, const std::string& found, const std::vector<std::string>& known) {
  for (const std::string& name : known) {
    if (found == name) return;
  }
  throw UsageError(fmt::format("{}: expected \"{}\" or \"{}\", found \"{}\"{}", what, known[0],
                               known[1], found, DidYouMean(found, known)));
}

}  // namespace

void CheckPageSize(int32_t page_size) {
  if (page_size <= 0 || page_size % kernels::kPagePositions != 0) {
    throw UsageError(fmt::format("page_size: expected a positive multiple of {}, found {}",
                                 kernels::kPagePositions, page_size));
  }
}

void Batch::Clear() {
  tokens_T.clear();
  spans.clear();
  pages.clear();
  copies.clear();
}

void Backend::ForwardLogprobsInDouble(const Batch&, KvCache&, std::span<const Target>, double,
                                      std::span<double>, std::span<double>) {
  throw RunError("log-probabilities in double are of the torch backend with float64");
}

std::unique_ptr<Backend> MakeBackend(const BackendOptions& options, const ModelConfig& config) {
  CheckOneOf("policy.backend", options.name, {"exact", "torch"});
  CheckOneOf("policy.device", options.device, {"cpu", "cuda"});
  CheckOneOf("policy.dtype", options.dtype, {"f32", "bf16"});
  if (options.threads < 0)
    throw UsageError(fmt::format("threads: expected 0 or more, found {}", options.threads));
  CheckConfig(config);
  if (options.name == "torch") return MakeTorchBackend(options, config);
  if (options.device != "cpu") {
    throw UsageError("policy.device: the exact backend runs on \"cpu\" only, found \"" +
                     options.device + "\"; policy.backend = \"torch\" knows \"cuda\"");
  }
  if (options.float64)
    throw UsageError("float64 is of the torch backend; the exact backend computes in float32");
  const kernels::Isa isa = options.isa ? *options.isa : kernels::DetectIsa();
  if (!kernels::IsaAvailable(isa)) throw UsageError("this machine has no " + kernels::IsaName(isa));
  const FloatType type = options.dtype == "bf16" ? FloatType::kBf16 : FloatType::kF32;
  return std::make_unique<ExactBackend>(config, type, options.threads, isa);
}

}  // namespace hone
