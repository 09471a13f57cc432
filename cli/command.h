// Every subcommand registers itself on the program; one file a command.
#pragma once

#include <CLI/App.hpp>

namespace hone {

void AddTrainCommand(CLI::App& program);
void AddSftCommand(CLI::App& program);
void AddQuickstartCommand(CLI::App& program);
void AddDataCommand(CLI::App& program);
void AddInitModelCommand(CLI::App& program);
void AddGenerateCommand(CLI::App& program);
void AddLogprobsCommand(CLI::App& program);
void AddTokenizeCommand(CLI::App& program);
void AddTrainTokenizerCommand(CLI::App& program);
void AddScoreCommand(CLI::App& program);
void AddEvalCommand(CLI::App& program);
void AddExportCommand(CLI::App& program);
void AddWorkerCommand(CLI::App& program);
void AddBenchCommand(CLI::App& program);

}  // namespace hone
