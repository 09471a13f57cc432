// The parameters of a policy: one flat fp32 array, and the table that says which tensor lies where.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/buffer.h"
#include "common/hash.h"
#include "common/thread_pool.h"
#include "policy/model/config.h"
#include "policy/model/tensor_role.h"

namespace hone {

// One named tensor inside the flat array. Names and shapes are Hugging Face's; a matrix of a linear
// layer is [out, in].
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
  int64_t offset = 0;  // in elements, a multiple of 16 (64 bytes)
  int64_t size = 0;    // in elements
  Role role = Role::kEmbedding;
  int64_t layer = -1, expert = -1;  // -1: of none
};

// The table of a config, in a fixed order (embedding, layers, norm, head) under the names of its
// family; the table of what lies on disk, so fused tensors stay fused. With tied embeddings
// there is no "lm_head.weight". Gaps between tensors (alignment) are zero and stay zero.
struct WeightsLayout {
  std::vector<TensorSpec> tensors;
  int64_t size = 0;                                       // of the flat array, in elements
  const TensorSpec& Find(const std::string& name) const;  // throws std::out_of_range
  int64_t parameters() const;                             // without the gaps
};
WeightsLayout MakeLayout(const ModelConfig& config);

// One version of the weights; immutable once shared. `data` may lie in memory that `owner` keeps
// alive (a Buffer, or a frame that came off a socket): nobody copies it.
struct Weights {
  uint64_t version = 0;
  Hash128 fingerprint;          // Fingerprint(layout, data)
  std::span<const float> data;  // layout.size elements, 64-byte aligned
  std::shared_ptr<const void> owner;
};

// A hash over the name, shape and bytes of every tensor, in order of the layout. A pool shares out
// the tensors among its threads.
Hash128 Fingerprint(const WeightsLayout& layout, std::span<const float> data,
                    ThreadPool* pool = nullptr);

// The same of the hashes of each tensor's bytes, for who took them while the bytes came by.
Hash128 Fingerprint(const WeightsLayout& layout, std::span<const Hash128> tensors);

// `fingerprint`, where it is known already, is not computed again.
std::shared_ptr<const Weights> MakeWeights(const WeightsLayout& layout, Buffer<float> data,
                                           uint64_t version,
                                           std::optional<Hash128> fingerprint = std::nullopt);

// N(0, initializer_range) for matrices (as transformers initialises), ones for norms (zeros where
// norm_offset makes ones of them), zeros for biases; a pure function of the config and the seed.
Buffer<float> InitWeights(const ModelConfig& config, const WeightsLayout& layout, uint64_t seed);

}  // namespace hone
