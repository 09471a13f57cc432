#include "policy/model/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "common/deterministic_math.h"
#include "common/error.h"
#include "common/philox.h"
#include "kernels/parallel.h"
#include "policy/families/family.h"

namespace hone {
namespace {

constexpr int64_t kAlignment = 16;  // elements: 64 bytes
constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kTwoPi = 0x1.921fb54442d18p+2;

// Appends tensors one behind the other, each at an aligned offset.
class LayoutBuilder {
 public:
  explicit LayoutBuilder(const ModelConfig& config) : config_(config) {}
  void Add(const std::string& name, Role role, int64_t layer = -1, int64_t expert = -1) {
    std::vector<int64_t> shape = ShapeOf(role, config_);
    int64_t size = 1;
    for (const int64_t extent : shape) size *= extent;
    layout_.tensors.push_back({name, std::move(shape), layout_.size, size, role, layer, expert});
    layout_.size += (size + kAlignment - 1) / kAlignment * kAlignment;
  }
  WeightsLayout Take() { return std::move(layout_); }

 private:
  const ModelConfig& config_;
  WeightsLayout layout_;
};

// Two independent N(0, 1) of two uniform words. Box and Muller, "A note on the generation of random
// normal deviates" (1958).
void BoxMuller(uint32_t a, uint32_t b, double* first, double* second) {
  const double u = (static_cast<double>(a) + 1) * 0x1p-32;  // in (0, 1]
  const double radius = std::sqrt(-2 * kLn2 * Log2(u));
  double sine = 0, cosine = 0;
  SinCos(kTwoPi * static_cast<double>(b) * 0x1p-32, &sine, &cosine);
  *first = radius * cosine;
  *second = radius * sine;
}

void FillNormal(uint64_t seed, uint64_t tensor, double scale, std::span<float> values) {
  for (size_t i = 0; i < values.size(); i += 4) {
    const auto words = Philox(seed, {.purpose = Purpose::kInitWeights,
                                     .group = tensor,
                                     .sample = 0,
                                     .position = static_cast<uint32_t>(i / 4)});
    double normals[4];
    BoxMuller(words[0], words[1], &normals[0], &normals[1]);
    BoxMuller(words[2], words[3], &normals[2], &normals[3]);
    for (size_t j = 0; j < std::min<size_t>(4, values.size() - i); ++j) {
      values[i + j] = static_cast<float>(normals[j] * scale);
    }
  }
}

void AppendHash(const Hash128& hash, std::vector<uint64_t>* words) {
  words->push_back(hash.high);
  words->push_back(hash.low);
}

}  // namespace

const TensorSpec& WeightsLayout::Find(const std::string& name) const {
  for (const TensorSpec& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  throw std::out_of_range(fmt::format("no tensor named {}", name));
}

int64_t WeightsLayout::parameters() const {
  int64_t sum = 0;
  for (const TensorSpec& tensor : tensors) sum += tensor.size;
  return sum;
}

WeightsLayout MakeLayout(const ModelConfig& config) {
  const ModelFamily& family = FamilyOf(config.architecture);
  LayoutBuilder builder(config);
  builder.Add("model.embed_tokens.weight", Role::kEmbedding);
  for (int64_t l = 0; l < config.num_layers; ++l) {
    for (const NamedTensor& tensor : family.layer(config, l)) {
      builder.Add(fmt::format("model.layers.{}.{}", l, tensor.name), tensor.role, l, tensor.expert);
    }
  }
  builder.Add("model.norm.weight", Role::kFinalNorm);
  if (!config.tie_word_embeddings) builder.Add("lm_head.weight", Role::kHead);
  return builder.Take();
}

Hash128 Fingerprint(const WeightsLayout& layout, std::span<const Hash128> tensors) {
  std::vector<uint64_t> words;
  for (size_t i = 0; i < layout.tensors.size(); ++i) {
    const TensorSpec& tensor = layout.tensors[i];
    AppendHash(HashBytes(tensor.name.data(), tensor.name.size()), &words);
    AppendHash(HashBytes(tensor.shape.data(), tensor.shape.size() * sizeof(int64_t)), &words);
    AppendHash(tensors[i], &words);
  }
  return HashBytes(words.data(), words.size() * sizeof(uint64_t));
}

Hash128 Fingerprint(const WeightsLayout& layout, std::span<const float> data, ThreadPool* pool) {
  std::vector<Hash128> hashes(layout.tensors.size());
  const int64_t threads = kernels::Threads({pool});
  // A thread takes the tensors that begin in its part of the array.
  const auto hash = [&](int64_t begin, int64_t end) {
    for (size_t i = 0; i < hashes.size(); ++i) {
      const TensorSpec& tensor = layout.tensors[i];
      const int64_t thread = tensor.offset * threads / layout.size;
      if (thread < begin || thread >= end) continue;
      hashes[i] =
          HashBytes(data.data() + tensor.offset, static_cast<size_t>(tensor.size) * sizeof(float));
    }
  };
  kernels::ParallelFor({pool}, threads, 1, hash);
  return Fingerprint(layout, hashes);
}

std::shared_ptr<const Weights> MakeWeights(const WeightsLayout& layout, Buffer<float> data,
                                           uint64_t version, std::optional<Hash128> fingerprint) {
  if (static_cast<int64_t>(data.size()) != layout.size) {
    throw RunError(fmt::format("weights hold {} elements, the layout of the model {}", data.size(),
                               layout.size));
  }
  auto owner = std::make_shared<Buffer<float>>(std::move(data));
  auto weights = std::make_shared<Weights>();
  weights->version = version;
  weights->data = std::as_const(*owner).span();
  weights->owner = std::move(owner);
  weights->fingerprint = fingerprint ? *fingerprint : Fingerprint(layout, weights->data);
  return weights;
}

Buffer<float> InitWeights(const ModelConfig& config, const WeightsLayout& layout, uint64_t seed) {
  Buffer<float> data(static_cast<size_t>(layout.size));
  for (size_t i = 0; i < layout.tensors.size(); ++i) {
    const TensorSpec& tensor = layout.tensors[i];
    const auto values =
        data.span().subspan(static_cast<size_t>(tensor.offset), static_cast<size_t>(tensor.size));
    if (tensor.shape.size() == 2) {
      FillNormal(seed, i, config.initializer_range, values);
    } else if (IsNorm(tensor.role)) {
      std::fill(values.begin(), values.end(), static_cast<float>(1 - config.norm_offset));
    }  // biases stay 0
  }
  return data;
}

}  // namespace hone
