// A verifier's library with every fault that one may have, by what the completion asks for.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "reward/verifier.h"

#ifndef FAULTY_ABI
#define FAULTY_ABI HONE_VERIFIER_ABI
#endif

namespace {

int instance;

void* Create(hone_text options, hone_message error) {
  std::printf("a word to standard output while loading\n");
  if (std::string_view(options.data, options.size).find("refuse") == std::string_view::npos) {
    return &instance;
  }
  std::snprintf(error.data, error.size, "the option refuse is not wanted");
  return nullptr;
}

int Score(void*, const hone_sample* sample, double* reward, hone_message error) {
  const std::string_view what(sample->completion.data, sample->completion.size);
  std::printf("a word to standard output\n");
  if (what == "segv") *reinterpret_cast<volatile int*>(8) = 1;
  if (what == "abort") std::abort();
  if (what == "exit") std::_Exit(0);
  if (what == "throw") throw std::runtime_error("thrown across the interface");
  if (what == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
  *reward = what == "nan" ? std::nan("") : static_cast<double>(what.size());
  if (what != "undecided") return 0;
  std::snprintf(error.data, error.size, "cannot tell");
  return 1;
}

}  // namespace

#ifndef FAULTY_NO_FUNCTION
const hone_verifier_table* hone_verifier_plugin(void) {
  static const hone_verifier_table table = {FAULTY_ABI, "faulty", Create, Score, [](void*) {}};
  return &table;
}
#endif
