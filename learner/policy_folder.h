// The folder that [policy] names, as every part of a run sees it.
#pragma once

#include "common/config.h"
#include "policy/files/model_folder.h"

namespace hone {

// policy.model with policy.context_length: the one place where a run's model is loaded, so that no
// part of it has other positions or rotary frequencies than the rest.
ModelFolder LoadPolicyFolder(const PolicySection& policy, bool with_weights = true);

}  // namespace hone
