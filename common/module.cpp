#include "common/module.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "common/error.h"

namespace hone {

std::filesystem::path BesideProgram(const std::string& file, const std::string& variable) {
  const char* named = std::getenv(variable.c_str());
  if (named != nullptr && *named != '\0') return named;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    throw RunError("cannot tell where this program lies (/proc/self/exe: " + error.message() +
                   "); set " + variable + " to the path of " + file);
  }
  return program.parent_path() / file;
}

void* LoadModule(const Module& module) {
  const std::filesystem::path path = BesideProgram(module.file, module.variable);
  if (!std::filesystem::exists(path)) {
    throw RunError(module.what + " was not found at " + path.string() + "; " + module.remedy +
                   ", or set " + module.variable + " to its path");
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    throw RunError(module.what + " cannot be loaded: " + std::string(dlerror()) + "; " +
                   module.remedy);
  }
  void* entry = dlsym(handle, module.entry.c_str());
  if (entry == nullptr) {
    throw RunError(path.string() + " is not " + module.what + ": it has no " + module.entry);
  }
  return entry;
}

}  // namespace hone
