// hone init-model: a Hugging Face model folder with random weights.
#include "cli/init_model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "cli/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "policy/families/family.h"
#include "policy/files/model_folder.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string config;
  std::string tokenizer;
  std::string output;
  uint64_t seed = 0;
};

// config.json with the keys by which transformers finds the class; as it was where it has them.
std::string CompleteConfig(const fs::path& path, const ModelConfig& config) {
  const std::string bytes = ReadFile(path);
  OrderedJson json = OrderedJson::parse(bytes);
  if (json.contains("architectures") && json.contains("model_type")) return bytes;
  json["architectures"] = {config.architecture};
  json["model_type"] = FamilyOf(config.architecture).model_type;
  return json.dump(2) + "\n";
}

// The text of a token for tokenizer_config.json, null for none.
OrderedJson TokenText(const Tokenizer& tokenizer, int32_t id) {
  const auto text = tokenizer.Symbols(id);
  return text ? OrderedJson(std::string(*text)) : OrderedJson();
}

std::string MakeTokenizerConfig(const ModelFolder& model) {
  const GenerationConfig& generation = model.generation;
  OrderedJson json = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                      {"model_max_length", model.config.max_position_embeddings},
                      {"clean_up_tokenization_spaces", false}};
  const int32_t eos = generation.eos_token_ids.empty() ? -1 : generation.eos_token_ids[0];
  for (const auto& [key, id] :
       {std::pair<const char*, int32_t>{"bos_token", generation.bos_token_id},
        {"eos_token", eos},
        {"pad_token", generation.pad_token_id}}) {
    const OrderedJson text = TokenText(*model.tokenizer, id);
    if (!text.is_null()) json[key] = text;
  }
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

std::string MakeGenerationConfig(const GenerationConfig& generation) {
  OrderedJson json = OrderedJson::object();
  if (generation.bos_token_id >= 0) json["bos_token_id"] = generation.bos_token_id;
  if (generation.eos_token_ids.size() == 1) json["eos_token_id"] = generation.eos_token_ids[0];
  if (generation.eos_token_ids.size() > 1) json["eos_token_id"] = generation.eos_token_ids;
  if (generation.pad_token_id >= 0) json["pad_token_id"] = generation.pad_token_id;
  return json.dump(2) + "\n";
}

void AddCompanions(const Options& options, ModelFolder* model) {
  const fs::path tokenizers = fs::path(options.tokenizer).parent_path();
  const fs::path generation = fs::path(options.config).parent_path() / "generation_config.json";
  const auto add = [&](const char* name, std::string bytes) {
    model->companions.emplace_back(name, std::move(bytes));
  };
  add("config.json", CompleteConfig(options.config, model->config));
  add("tokenizer.json", ReadFile(options.tokenizer));
  const fs::path beside = tokenizers / "tokenizer_config.json";
  add("tokenizer_config.json", fs::exists(beside) ? ReadFile(beside) : MakeTokenizerConfig(*model));
  add("generation_config.json",
      fs::exists(generation) ? ReadFile(generation) : MakeGenerationConfig(model->generation));
  for (const char* name : {"special_tokens_map.json", "chat_template.jinja"}) {
    if (fs::exists(tokenizers / name)) add(name, ReadFile(tokenizers / name));
  }
}

// The output replaces what stands there: that must be a model folder, or nothing.
void CheckOutput(const fs::path& output) {
  if (!fs::exists(output)) return;
  const bool replaceable =
      fs::is_directory(output) && (fs::is_empty(output) || fs::exists(output / "config.json"));
  if (!replaceable) {
    throw UsageError(fmt::format(
        "--output {} exists and is no model folder: name another, or remove it", output.string()));
  }
}

void CheckMemory(const WeightsLayout& layout, const std::string& config) {
  const double need = static_cast<double>(layout.size) * sizeof(float);
  const double have =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (need > have) {
    throw FileError(config, "",
                    fmt::format("the weights would take {:.1f} GiB, this machine has {:.1f}",
                                need / (1 << 30), have / (1 << 30)));
  }
}

void InitModel(const Options& options) {
  CheckOutput(options.output);
  ModelFolder model;
  model.path = options.output;
  model.config = ParseModelConfig(ReadJson(options.config), options.config);
  model.layout = MakeLayout(model.config);
  CheckMemory(model.layout, options.config);
  model.tokenizer = Tokenizer::Load(options.tokenizer);
  CheckVocabulary(*model.tokenizer, options.tokenizer, model.config);
  model.generation =
      ReadGenerationConfig(fs::path(options.config).parent_path() / "generation_config.json",
                           options.config, model.config);
  AddCompanions(options, &model);
  const Buffer<float> data = InitWeights(model.config, model.layout, options.seed);
  WriteFolderAtomically(options.output, [&](const fs::path& folder) {
    WriteModelFiles(folder, model, model.layout, data.span());
  });
  spdlog::info("{}: {} with {} parameters", options.output, model.config.architecture,
               model.layout.parameters());
}

}  // namespace

void InitModelFolder(const fs::path& config, const fs::path& tokenizer, uint64_t seed,
                     const fs::path& output) {
  InitModel({.config = config.string(),
             .tokenizer = tokenizer.string(),
             .output = output.string(),
             .seed = seed});
}

void AddInitModelCommand(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "init-model", "Make a model folder with random weights, to train from scratch");
  command->add_option("--config", options->config, "a config.json of a supported family")
      ->required();
  command->add_option("--tokenizer", options->tokenizer, "a tokenizer.json (byte-level BPE)")
      ->required();
  command->add_option("--seed", options->seed, "the weights are a function of it and of the config")
      ->required();
  command->add_option("--output", options->output, "the folder to make")->required();
  command->callback([options] { InitModel(*options); });
}

}  // namespace hone
