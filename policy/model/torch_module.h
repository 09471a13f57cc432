// The torch backend lives in a module of its own (libhone_torch.so), so that a command that does
// not ask for it starts without loading LibTorch's hundreds of megabytes.
#pragma once

#include <memory>

#include "policy/backend.h"

namespace hone {

// Loads the module at the first call: from the file that HONE_TORCH_MODULE names when it is set,
// else from libhone_torch.so beside the program. Throws RunError naming the file when that fails.
std::unique_ptr<Backend> MakeTorchBackend(const BackendOptions& options, const ModelConfig& config);

// The module's one entry. Throws UsageError for a device that this build or machine lacks.
using TorchBackendFactory = Backend* (*)(const BackendOptions*, const ModelConfig*);
inline constexpr const char* kTorchBackendFactory = "hone_make_torch_backend";

}  // namespace hone
