#include "learner/policy_folder.h"

#include "policy/model/context_length.h"

namespace hone {

ModelFolder LoadPolicyFolder(const PolicySection& policy, bool with_weights) {
  ModelFolder model = LoadModelFolder(policy.model, with_weights);
  SetContextLength(policy.context_length, &model.config);
  return model;
}

std::unique_ptr<Backend> MakePolicyBackend(const PolicySection& policy, const ModelConfig& config,
                                           int threads) {
  BackendOptions options;
  options.name = policy.backend;
  options.device = policy.device;
  options.dtype = policy.dtype;
  options.threads = threads;
  return MakeBackend(options, config);
}

}  // namespace hone
