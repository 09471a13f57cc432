// The key/value cache of the exact backend; a layer's layout is the attention kernel's, of whose
// blocks (kPagePositions positions) a page is one or more side by side.
#pragma once

#include "common/buffer.h"
#include "kernels/attention.h"
#include "policy/backend.h"

namespace hone {

class ExactCache final : public KvCache {
 public:
  ExactCache(const ModelConfig& config, int32_t pages, int32_t page_size)
      : pages_(pages),
        page_size_(page_size),
        layers_(config.num_layers),
        layer_size_(pages * config.kv_dim() * page_size),
        k_(static_cast<size_t>(layers_ * layer_size_)),
        v_(static_cast<size_t>(layers_ * layer_size_)) {}

  int32_t pages() const override { return pages_; }
  int32_t page_size() const override { return page_size_; }
  size_t bytes() const override { return 2 * k_.size() * sizeof(float); }
  float* k(int64_t layer) { return k_.data() + layer * layer_size_; }
  float* v(int64_t layer) { return v_.data() + layer * layer_size_; }
  bool Fits(const ModelConfig& config) const {
    return layers_ == config.num_layers && layer_size_ == pages_ * config.kv_dim() * page_size_;
  }

 private:
  int32_t pages_, page_size_;
  int64_t layers_, layer_size_;  // layer_size_: elements of the keys of one layer
  Buffer<float> k_, v_;
};

}  // namespace hone
