// The exact backend's activations: a tape of every layer, what enters the final norm, and logits
// where they are few beside these. Their memory is used again when the last holder lets go, on
// whichever thread: fresh pages at every step would cost as much as a layer.
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
  Buffer<float> logits_RV;
  std::vector<int32_t> logits_of_T;  // which of them are a row's; -1: none were kept
  int64_t room = 0;                  // rows that the memory at hand suffices for

  size_t bytes() const override {
    size_t floats = x_TD.size() + logits_RV.size();
    for (const LayerTape& tape : layers) floats += tape.floats();
    return floats * sizeof(float);
  }
};

class ActivationsShelf {
 public:
  // For this many rows: the least memory that suffices, or new one. (To let any grow would in time
  // make all as large as the largest batch.)
  std::shared_ptr<ExactActivations> Take(int64_t rows) {
    std::unique_ptr<ExactActivations> activations;
    {
      std::lock_guard lock(shelf_->mutex);
      auto& free = shelf_->free;
      auto best = free.end();
      for (auto it = free.begin(); it != free.end(); ++it) {
        if ((*it)->room >= rows && (best == free.end() || (*it)->room < (*best)->room)) best = it;
      }
      if (best != free.end()) {
        activations = std::move(*best);
        free.erase(best);
      }
    }
    if (!activations) {
      activations = std::make_unique<ExactActivations>();
      activations->room = (rows + 63) / 64 * 64;
    }
    activations->logits_RV.Reserve(0);
    activations->logits_of_T.clear();
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
