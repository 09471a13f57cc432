// Shared libraries of our own that lie beside the program and are loaded when they are asked for,
// so that a command which does without them starts without what they link.
#pragma once

#include <string>

namespace hone {

struct Module {
  std::string what;      // what it is, for errors: "the torch backend's module"
  std::string file;      // "libhone_torch.so"
  std::string variable;  // an environment variable that names another file
  std::string entry;     // its one symbol
  std::string remedy;    // how one comes to have it
};

// The address of the module's entry. The module stays loaded to the end: what such libraries start
// (threads, registries) does not survive dlclose. Throws RunError naming the file and the remedy.
void* LoadModule(const Module& module);

}  // namespace hone
