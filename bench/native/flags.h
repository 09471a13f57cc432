// What the native benchmarks have in common: their flags, and how they end.
#pragma once

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/thread_pool.h"
#include "kernels/exec.h"
#include "timing.h"

namespace hone::bench {

struct Flags {
  std::vector<std::string> models = {"micro", "small"};
  int threads = 2;
  RoundPlan plan;
  bool quick = false;
};

inline void AddFlags(CLI::App& program, Flags* flags) {
  program.add_option("--models", flags->models, "micro, small")->delimiter(',');
  program.add_option("--threads", flags->threads)->check(CLI::PositiveNumber);
  program.add_option("--rounds", flags->plan.rounds)->check(CLI::PositiveNumber);
  program.add_flag("--quick", flags->quick, "Few shapes and short blocks: does it run?");
}

// Parses, prints the JSON object that `measure` gives, and tells errors on stderr.
inline int RunMain(CLI::App& program, int argc, char** argv,
                   const std::function<OrderedJson()>& measure) {
  CLI11_PARSE(program, argc, argv);
  try {
    std::cout << measure().dump() << std::endl;
    return 0;
  } catch (const std::exception& error) {
    std::cerr << program.get_name() << ": " << error.what() << std::endl;
    return 1;
  }
}

}  // namespace hone::bench
