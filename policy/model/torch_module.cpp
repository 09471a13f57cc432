#include "policy/model/torch_module.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "common/error.h"

namespace hone {
namespace {

std::filesystem::path ModulePath() {
  if (const char* named = std::getenv("HONE_TORCH_MODULE"); named != nullptr && *named != '\0')
    return named;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error)
    throw RunError("cannot tell where this program lies (/proc/self/exe: " + error.message() +
                   "); set HONE_TORCH_MODULE to the path of libhone_torch.so");
  return program.parent_path() / "libhone_torch.so";
}

// The module stays loaded to the end: LibTorch's threads and registries do not survive dlclose.
TorchBackendFactory LoadModule() {
  const std::filesystem::path path = ModulePath();
  if (!std::filesystem::exists(path)) {
    throw RunError("the torch backend's module was not found at " + path.string() +
                   "; build the target hone_torch, or set HONE_TORCH_MODULE to its path");
  }
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    throw RunError("the torch backend's module cannot be loaded: " + std::string(dlerror()) +
                   "; tools/setup.sh fetches LibTorch");
  }
  void* factory = dlsym(module, kTorchBackendFactory);
  if (factory == nullptr) {
    throw RunError(path.string() + " is not the torch backend's module: it has no " +
                   kTorchBackendFactory);
  }
  return reinterpret_cast<TorchBackendFactory>(factory);
}

}  // namespace

std::unique_ptr<Backend> MakeTorchBackend(const BackendOptions& options,
                                          const ModelConfig& config) {
  return std::unique_ptr<Backend>(
      LoadModule()(&options, &config));  // dlopen counts; loading twice is no harm
}

}  // namespace hone
