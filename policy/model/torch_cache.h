// The key/value cache of the torch backend.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "policy/backend.h"

namespace hone {

// Keys and values of a layer: [pages * page_size, kv_heads, head_dim].
class TorchCache final : public KvCache {
 public:
  TorchCache(const ModelConfig& config, int32_t pages, int32_t page_size,
             const at::TensorOptions& options)
      : pages_(pages), page_size_(page_size) {
    const std::vector<int64_t> shape = {int64_t{pages} * page_size, config.num_kv_heads,
                                        config.head_dim};
    for (int64_t l = 0; l < config.num_layers; ++l) {
      k.push_back(at::zeros(shape, options));
      v.push_back(at::zeros(shape, options));
    }
  }
  int32_t pages() const override { return pages_; }
  int32_t page_size() const override { return page_size_; }
  size_t bytes() const override {
    size_t sum = 0;
    for (const at::Tensor& tensor : k) sum += 2 * tensor.nbytes();
    return sum;
  }

  std::vector<at::Tensor> k, v;

 private:
  int32_t pages_, page_size_;
};

}  // namespace hone
