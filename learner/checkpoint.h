// One checkpoint: a Hugging Face model folder with a trainer/ folder beside the weights:
//   trainer/optimizer.safetensors  exp_avg.NAME and exp_avg_sq.NAME of every tensor (AdamW's
//   moments) trainer/state.json             {"batches", "format", "num_tokens", "step"}
//   trainer/manifest.json          {"files": {path: {"bytes", "xxh3_128"}}, "format"} of every
//   other file
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "learner/learner.h"
#include "policy/files/model_folder.h"

namespace hone {

// Appears whole or not at all. `m` and `v` are flat, as model.layout. Throws RunError (e.g. no
// space left).
void SaveCheckpoint(const std::filesystem::path& folder, const ModelFolder& model,
                    const Weights& weights, std::span<const float> m, std::span<const float> v,
                    const LearnerState& state);

// Fills m, v and state, and returns the weights with version = state.step. Throws FileError when a
// file is missing, differs from the manifest, or belongs to a model of another shape.
std::shared_ptr<const Weights> LoadCheckpoint(const std::filesystem::path& folder,
                                              const ModelFolder& model, std::span<float> m,
                                              std::span<float> v, LearnerState* state);

}  // namespace hone
