#include "cli/job_command.h"

#include <CLI/CLI.hpp>

#include "cli/run_folder.h"
#include "common/error.h"
#include "common/log.h"

namespace hone {

void AddJobCommand(CLI::App& program, Command kind, const std::string& name,
                   const std::string& about, Job job) {
  struct Flags {
    std::string config, resume_folder;
    std::vector<std::string> overrides;
    JobOptions options;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand(name, about);
  command->add_option("config", flags->config, "The run's TOML file")->required();
  command->add_option("--set", flags->overrides, "Override a key: section.key=value (repeatable)")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::Option* resume = command->add_option(
      "--resume", flags->resume_folder,
      "Go on from the last whole checkpoint of the run's folder, or of RUN_DIR");
  resume->expected(0, 1)->type_name("[RUN_DIR]");
  command
      ->add_option("--threads", flags->options.threads,
                   "Threads of the learner and of each rollout worker; 0: all cores")
      ->check(CLI::Range(0, 1024));
  command->callback([=] {
    RunConfig run = LoadConfig(kind, flags->config, flags->overrides);
    flags->options.resume = resume->count() > 0;
    if (!flags->resume_folder.empty()) {
      // A folder that is not there yet is a run that was stopped before it began.
      const std::filesystem::path folder = flags->resume_folder;
      if (std::filesystem::exists(folder) && !std::filesystem::is_directory(folder)) {
        throw FileError(folder.string(), "", "expected the folder of a run, found a file");
      }
      if (!std::filesystem::exists(folder)) {
        spdlog::warn("{}: no such run yet, starting from the beginning", folder.string());
      }
      SetRunFolder(&run, flags->resume_folder);
    }
    PrintResult(job(run, flags->options), run);
  });
}

}  // namespace hone
