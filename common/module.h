// Shared libraries of our own that lie beside the program and are loaded when they are asked for,
// so that a command which does without them starts without what they link.
#pragma once

#include <filesystem>
#include <string>

namespace hone {

// The path of a file of our own that lies beside the program that runs, or what the environment
// variable names instead. Whether it is there is the caller's to see. Throws RunError.
std::filesystem::path BesideProgram(const std::string& file, const std::string& variable);

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
