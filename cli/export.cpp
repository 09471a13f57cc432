// hone export: a checkpoint as a folder or file that other programs load.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/export_check.h"
#include "common/error.h"
#include "common/file.h"
#include "policy/files/gguf_model.h"
#include "policy/files/model_folder.h"
#include "policy/files/rounding.h"
#include "policy/model/context_length.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string checkpoint;
  std::string output;
  std::string format = "hf";
  std::string dtype;                         // unset: f32 as hf, f16 as gguf
  uint64_t max_shard_bytes = 5'000'000'000;  // transformers' default, "5GB"
  int64_t context_length = 0;
  int threads = 0;
};

// What a checkpoint's weights become, and where.
struct Plan {
  bool gguf = false;
  bool one_file = false;  // --output names the .gguf file itself
  std::string dtype;
  GgmlType type = GgmlType::kF32;
  fs::path output;
};

FloatType HfType(const Plan& plan) {
  return plan.type == GgmlType::kF32   ? FloatType::kF32
         : plan.type == GgmlType::kF16 ? FloatType::kF16
                                       : FloatType::kBf16;
}

// What stands at the output is replaced; that must be an earlier export, or nothing.
void CheckOutput(const Plan& plan, const fs::path& checkpoint) {
  const fs::path& output = plan.output;
  if (!fs::exists(output)) return;
  const auto fail = [&](const std::string& why) {
    throw UsageError(fmt::format("--output {} {}: name another", output.string(), why));
  };
  if (plan.one_file) {
    if (!fs::is_regular_file(output)) fail("is no file");
    return;
  }
  if (!fs::is_directory(output)) fail("is no folder");
  if (fs::equivalent(output, checkpoint)) fail("is the checkpoint itself");
  if (fs::exists(output / "trainer")) fail("is a checkpoint that training can resume from");
  const auto files = fs::directory_iterator(output);
  const bool replaceable =
      plan.gguf ? std::all_of(begin(files), end(files),
                              [](const auto& entry) { return entry.path().extension() == ".gguf"; })
                : fs::is_empty(output) || fs::exists(output / "config.json");
  if (!replaceable) fail("holds something else than an export of this format");
}

Plan MakePlan(const Options& options) {
  Plan plan;
  plan.gguf = options.format == "gguf";
  plan.output = options.output;
  plan.one_file = plan.gguf && plan.output.extension() == ".gguf" && !fs::is_directory(plan.output);
  plan.dtype = !options.dtype.empty() ? options.dtype : plan.gguf ? "f16" : "f32";
  const auto type = ParseGgmlType(plan.dtype);
  if (!type || (*type == GgmlType::kQ8_0 && !plan.gguf)) {
    throw UsageError(fmt::format("--dtype {}: expected f32, bf16 or f16{}", plan.dtype,
                                 plan.gguf ? " or q8_0" : "; q8_0 is of --format gguf"));
  }
  plan.type = *type;
  if (options.context_length != 0 && !plan.gguf) {
    throw UsageError(
        "--context-length is of --format gguf; a model folder's readers are told it "
        "themselves (vLLM: --max-model-len)");
  }
  CheckOutput(plan, options.checkpoint);
  return plan;
}

// What a reader of the export will compute with.
std::shared_ptr<const Weights> Rounded(const Plan& plan, const ModelFolder& model, int threads) {
  ThreadPool pool(threads);
  Buffer<float> rounded;
  if (plan.gguf) {
    const auto tensors =
        MakeGgufTensors(model.config, model.layout, model.weights->data, plan.type);
    rounded = RoundWeights(model.layout, tensors, &pool);
  } else {
    rounded = RoundWeights(model.layout, model.weights->data, HfType(plan), &pool);
  }
  return MakeWeights(model.layout, std::move(rounded), 0);
}

// Throws RunError when a companion reads back differently.
std::shared_ptr<const Weights> ReadBackFolder(const fs::path& folder, const ModelFolder& model,
                                              int threads) {
  const ModelFolder read = LoadModelFolder(folder, /*with_weights=*/true, threads);
  for (size_t i = 0; i < model.companions.size(); ++i) {
    const auto& [name, bytes] = model.companions[i];
    if (read.companions.at(i).first != name ||
        (name != "config.json" && read.companions[i].second != bytes)) {
      throw RunError(fmt::format("{}: reads back differently", (folder / name).string()));
    }
  }
  return read.weights;
}

std::shared_ptr<const Weights> ReadBackFile(const fs::path& path, const ModelFolder& model,
                                            const GgufMetadata& metadata) {
  const GgufFile read(path);
  if (read.metadata() != metadata)
    throw RunError(fmt::format("{}: its metadata reads back differently", path.string()));
  return MakeWeights(model.layout, ReadGgufWeights(read, model.config, model.layout), 0);
}

struct Result {
  size_t tensors = 0;
  int64_t files = 0;
  uint64_t bytes = 0;
  Probe probe;  // of the weights as they were read back
};

// Writes to `staged`, reads it back, compares bits, runs what was read. The weights of `model` are
// let go once they are written, so that no more than two copies are in memory at a time.
Result WriteAndCheck(const Plan& plan, const Options& options, const fs::path& staged,
                     const GgufMetadata& metadata, std::shared_ptr<const Weights> rounded,
                     ModelFolder* model) {
  std::shared_ptr<const Weights> read;
  Probe meant;
  size_t written = model->layout.tensors.size();  // GGUF stacks experts, and has rotary factors
  if (plan.gguf) {
    const auto tensors =
        MakeGgufTensors(model->config, model->layout, model->weights->data, plan.type);
    WriteGguf(staged, metadata, tensors);
    written = tensors.size();
    model->weights.reset();
    meant = RunProbe(model->config, rounded, options.threads);
    read = ReadBackFile(staged, *model, metadata);
  } else {
    WriteModelFiles(staged, *model, model->layout, model->weights->data,
                    {.type = HfType(plan), .max_shard_bytes = options.max_shard_bytes});
    model->weights.reset();
    meant = RunProbe(model->config, rounded, options.threads);
    read = ReadBackFolder(staged, *model, options.threads);
  }
  CheckSameWeights(model->layout, *rounded, *read, staged);
  rounded.reset();
  Result result;
  result.tensors = written;
  result.probe = RunProbe(model->config, std::move(read), options.threads);
  CheckSameLogits(meant, result.probe, staged);
  return result;
}

void CountFiles(const fs::path& output, Result* result) {
  if (fs::is_regular_file(output)) {
    result->files = 1;
    result->bytes = fs::file_size(output);
    return;
  }
  for (const auto& entry : fs::directory_iterator(output)) {
    ++result->files;
    result->bytes += entry.file_size();
  }
}

void RunExport(const Options& options) {
  const Plan plan = MakePlan(options);
  ModelFolder model = LoadModelFolder(options.checkpoint, /*with_weights=*/true, options.threads);
  SetContextLength(options.context_length, &model.config);
  GgufMetadata metadata;  // first of all: what GGUF cannot express shows at once
  if (plan.gguf) metadata = MakeGgufMetadata(model, plan.type);
  const Probe policy = RunProbe(model.config, model.weights, options.threads);
  std::shared_ptr<const Weights> rounded = Rounded(plan, model, options.threads);
  Result result;
  const auto write = [&](const fs::path& staged) {
    result = WriteAndCheck(plan, options, staged, metadata, std::move(rounded), &model);
  };
  if (plan.one_file) {
    WriteFileAtomically(plan.output, write);
  } else {
    WriteFolderAtomically(plan.output, [&](const fs::path& staged) {
      write(plan.gguf ? staged / fmt::format("model-{}.gguf", plan.dtype) : staged);
    });
  }
  CountFiles(plan.output, &result);
  OrderedJson line;
  line["output"] = options.output;
  line["format"] = options.format;
  line["dtype"] = plan.dtype;
  line["files"] = result.files;
  line["tensors"] = result.tensors;
  line["bytes"] = result.bytes;
  line["probe_tokens"] = result.probe.tokens;
  line["probe_max_abs_diff"] = MaxAbsDiff(policy, result.probe);
  std::cout << Dump(line) << std::endl;
}

}  // namespace

void AddExportCommand(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "export", "Write a policy for transformers, vLLM or llama.cpp, and check what was written");
  command->add_option("checkpoint", options->checkpoint, "a checkpoint, or any model folder")
      ->required();
  command
      ->add_option("--output", options->output,
                   "the folder to make; with --format gguf also a file, NAME.gguf")
      ->required();
  command->add_option("--format", options->format, "hf or gguf")
      ->capture_default_str()
      ->check(CLI::IsMember({"hf", "gguf"}));
  command->add_option("--dtype", options->dtype,
                      "f32, bf16 or f16; gguf also q8_0 (default: f32 as hf, f16 as gguf)");
  command
      ->add_option("--max-shard-size", options->max_shard_bytes,
                   "most bytes of tensors in a file of hf, such as 5GB")
      ->capture_default_str()
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true));
  command
      ->add_option(
          "--context-length", options->context_length,
          "of gguf: the context that the file names; 0: as many positions as the model has "
          "by itself. Of longrope, more than its original length: as the policy was trained")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "0: all cores; changes no bit of the result")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->footer(
      "Nothing stands under the output's name before it was read back, compared bit for bit, and "
      "run.\nPrints one JSON line.");
  command->callback([options] { RunExport(*options); });
}

}  // namespace hone
