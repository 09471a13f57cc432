#include "learner/policy_folder.h"

#include "policy/model/context_length.h"

namespace hone {

ModelFolder LoadPolicyFolder(const PolicySection& policy, bool with_weights) {
  ModelFolder model = LoadModelFolder(policy.model, with_weights);
  SetContextLength(policy.context_length, &model.config);
  return model;
}

}  // namespace hone
