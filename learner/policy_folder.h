// The folder that [policy] names, and its backend, as every part of a run sees them.
#pragma once

#include <memory>

#include "common/config.h"
#include "policy/backend.h"
#include "policy/files/model_folder.h"

namespace hone {

// policy.model with policy.context_length: the one place where a run's model is loaded, so that no
// part of it has other positions or rotary frequencies than the rest.
ModelFolder LoadPolicyFolder(const PolicySection& policy, bool with_weights = true);

// Of policy.backend, device and dtype, without weights. Throws as MakeBackend does.
std::unique_ptr<Backend> MakePolicyBackend(const PolicySection& policy, const ModelConfig& config,
                                           int threads);

}  // namespace hone
