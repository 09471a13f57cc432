// The checkpoints folder of a run: step-000100, step-000200, …
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace hone {

std::filesystem::path CheckpointPath(const std::filesystem::path& run, uint64_t step);
// The newest checkpoint whose every file has the hash its manifest says; a damaged one is passed
// over with a warning. No checkpoint: nullopt. Only damaged ones: FileError, since to start over
// would delete them, which is for a person to decide.
std::optional<std::filesystem::path> NewestCheckpoint(const std::filesystem::path& run);
// Removes all but the `keep` newest (0: keeps all), and what an interrupted save left.
void PruneCheckpoints(const std::filesystem::path& run, int64_t keep);
// Removes those of later steps: on resume, what is newer than the checkpoint gone on from was
// damaged.
void RemoveCheckpointsAfter(const std::filesystem::path& run, uint64_t step);
// Throws FileError naming the file that is missing or differs.
void VerifyCheckpoint(const std::filesystem::path& checkpoint);

}  // namespace hone
