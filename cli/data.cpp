// hone data: problems of a procedural task as JSON Lines.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "common/file.h"
#include "reward/options.h"
#include "reward/tasks/task.h"

namespace hone {

void AddDataCommand(CLI::App& program) {
  struct Flags {
    DataRequest request;
    std::string output;
    std::vector<std::string> pairs, exclude;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      program.add_subcommand("data", "Make a data set of a procedural task, as JSON Lines");
  command->add_option("task", flags->request.task, "arithmetic or countdown")->required();
  command->add_option("--count", flags->request.count, "Problems; no two are the same")->required();
  command->add_option("--seed", flags->request.seed, "The same seed gives the same file");
  command->add_option("--output", flags->output, "The file to write")->required();
  command->add_option("--set", flags->pairs, "An option of the task: key=value (repeatable)")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("--exclude", flags->exclude,
                   "Leave out the problems of this data file (repeatable)")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--demonstrations", flags->request.demonstrations,
                    "Add a completion to each problem, for sft");
  command->footer(
      "arithmetic: digits=3, terms=2, carry_error=0.6 (how often a demonstration forgets a carry)\n"
      "countdown:  numbers=3, max_number=99, min_target=10, max_target=99, tries=3 (at most so "
      "many\n"
      "            expressions that miss in a demonstration)");
  command->callback([flags] {
    DataRequest& request = flags->request;
    request.options = ParseOptions(flags->pairs);
    request.exclude.assign(flags->exclude.begin(), flags->exclude.end());
    WriteFileAtomically(flags->output, MakeData(request));
  });
}

}  // namespace hone
