// What a forward computed of each of its rows, kept for a training forward over the same tokens and
// weights. Under the `exact` backend's contract the learner's forward would compute the same bits
// again, so where sampler and learner share a process it need not: a third of a step's work is left
// out and no number changes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/hash.h"

namespace hone {

// Of all rows of one forward; made and read by one kind of backend, immutable once made.
class Activations {
 public:
  virtual ~Activations() = default;
  virtual size_t bytes() const = 0;
};

struct ActivationRow {
  const Activations* of = nullptr;  // null: not known
  int32_t row = 0;
};

// Of a group: a row for each token of the prompt, and for each token but the last of each
// completion (nothing is predicted from that one).
struct GroupActivations {
  Hash128 fingerprint;  // of the weights
  std::vector<ActivationRow> prompt;
  std::vector<std::vector<ActivationRow>> completions;
  std::vector<std::shared_ptr<const Activations>> owners;  // keep the rows alive
};

}  // namespace hone
