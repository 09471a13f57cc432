#include "policy/model/torch_module.h"

#include "common/module.h"

namespace hone {

std::unique_ptr<Backend> MakeTorchBackend(const BackendOptions& options,
                                          const ModelConfig& config) {
  static const auto factory =
      reinterpret_cast<TorchBackendFactory>(LoadModule({.what = "the torch backend's module",
                                                        .file = "libhone_torch.so",
                                                        .variable = "HONE_TORCH_MODULE",
                                                        .entry = kTorchBackendFactory,
                                                        .remedy = "build the target hone_torch"}));
  return std::unique_ptr<Backend>(factory(&options, &config));
}

}  // namespace hone
