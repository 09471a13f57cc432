// What the test of the verifiers found: said, kept in the run's folder, and held against its
// bounds.
#pragma once

#include <filesystem>
#include <vector>

#include "reward/self_test.h"

namespace hone {

// A line of the log for each verifier that was tested, and for each that could not be.
void LogSelfTest(const std::vector<SelfTestResult>& results);

// Writes the results as self_test.json into a run's folder. The same run writes the same bytes.
void WriteSelfTest(const std::filesystem::path& folder, const SelfTestSection& section,
                   const std::vector<SelfTestResult>& results);
// Whether a test that stands there was passed.
bool PassedSelfTest(const std::filesystem::path& folder);

// Throws RunError, naming rows, when a verifier accepts too few right answers (what it cannot judge
// it does not accept) or too many attacks. `folder` is where the rest can be read.
void CheckSelfTest(const SelfTestSection& section, const std::vector<SelfTestResult>& results,
                   const std::filesystem::path& folder);

}  // namespace hone
