// The exact backend's activations: a tape of every layer, and what enters the final norm. Their
// memory is used again when the last holder lets go, on whichever thread: fresh pages at every step
// would cost as much as the forward.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "policy/activations.h"
#include "policy/model/tape.h"

namespace hone {

struct ExactActivations final : Activations {
  std::vector<LayerTape> layers;
  Buffer<float> x_TD;  // enters the final norm

  size_t bytes() const override {
    size_t floats = x_TD.size();
    for (const LayerTape& tape : layers) floats += tape.floats();
    return floats * sizeof(float);
  }
};

class ActivationsShelf {
 public:
  std::shared_ptr<ExactActivations> Take() {
    std::unique_ptr<ExactActivations> activations;
    {
      std::lock_guard lock(shelf_->mutex);
      if (!shelf_->free.empty()) {
        activations = std::move(shelf_->free.back());
        shelf_->free.pop_back();
      }
    }
    if (!activations) activations = std::make_unique<ExactActivations>();
    const auto give_back = [shelf = shelf_](ExactActivations* used) {
      std::lock_guard lock(shelf->mutex);
      shelf->free.emplace_back(used);
    };
    return {activations.release(), give_back};
  }

 private:
  struct Shelf {
    std::mutex mutex;
    std::vector<std::unique_ptr<ExactActivations>> free;
  };
  std::shared_ptr<Shelf> shelf_ = std::make_shared<Shelf>();
};

}  // namespace hone
