#include "policy/model/tensor_offsets.h"

namespace hone {
namespace {

void Place(const TensorSpec& tensor, const ModelConfig& config, LayerOffsets* layer) {
  const int64_t at = tensor.offset, d = config.hidden_size;
  switch (tensor.role) {
    case Role::kAttentionNorm:
      layer->attention_norm = at;
      break;
    case Role::kQ:
      layer->q = at;
      break;
    case Role::kK:
      layer->k = at;
      break;
    case Role::kV:
      layer->v = at;
      break;
    case Role::kQkv:
      layer->q = at;
      layer->k = at + config.q_dim() * d;
      layer->v = layer->k + config.kv_dim() * d;
      break;
    case Role::kQBias:
      layer->q_bias = at;
      break;
    case Role::kKBias:
      layer->k_bias = at;
      break;
    case Role::kVBias:
      layer->v_bias = at;
      break;
    case Role::kQNorm:
      layer->q_norm = at;
      break;
    case Role::kKNorm:
      layer->k_norm = at;
      break;
    case Role::kO:
      layer->o = at;
      break;
    case Role::kOBias:
      layer->o_bias = at;
      break;
    case Role::kAttentionOutNorm:
      layer->attention_out_norm = at;
      break;
    case Role::kMlpNorm:
      layer->mlp_norm = at;
      break;
    case Role::kGate:
      layer->gate = at;
      break;
    case Role::kUp:
      layer->up = at;
      break;
    case Role::kGateUp:
      layer->gate = at;
      layer->up = at + config.intermediate_size * d;
      break;
    case Role::kGateBias:
      layer->gate_bias = at;
      break;
    case Role::kUpBias:
      layer->up_bias = at;
      break;
    case Role::kDown:
      layer->down = at;
      break;
    case Role::kDownBias:
      layer->down_bias = at;
      break;
    case Role::kMlpOutNorm:
      layer->mlp_out_norm = at;
      break;
    case Role::kRouter:
      layer->router = at;
      break;
    case Role::kExpertGate:
      layer->experts[tensor.expert].gate = at;
      break;
    case Role::kExpertUp:
      layer->experts[tensor.expert].up = at;
      break;
    case Role::kExpertDown:
      layer->experts[tensor.expert].down = at;
      break;
    case Role::kEmbedding:
    case Role::kFinalNorm:
    case Role::kHead:
      break;  // of no layer
  }
}

}  // namespace

TensorOffsets MakeOffsets(const ModelConfig& config, const WeightsLayout& layout) {
  TensorOffsets offsets;
  offsets.layers.resize(static_cast<size_t>(config.num_layers));
  for (int64_t l = 0; l < config.num_layers; ++l) {
    if (config.has_experts(l)) offsets.layers[l].experts.resize(config.num_experts);
  }
  for (const TensorSpec& tensor : layout.tensors) {
    if (tensor.role == Role::kEmbedding) offsets.embed = tensor.offset;
    if (tensor.role == Role::kFinalNorm) offsets.norm = tensor.offset;
    if (tensor.role == Role::kHead) offsets.head = tensor.offset;
    if (tensor.layer >= 0) Place(tensor, config, &offsets.layers[tensor.layer]);
  }
  if (config.tie_word_embeddings) offsets.head = offsets.embed;
  return offsets;
}

}  // namespace hone
