#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cstring>

#include "common/error.h"
#include "common/file.h"
#include "fixtures.h"
#include "learner/checkpoints.h"
#include "learner/learner.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest()
      : model_(testing::TinyModel()), config_(testing::TinyConfig()), learner_(NewLearner()) {}

  std::unique_ptr<Learner> NewLearner() {
    backends_.push_back(testing::ExactBackendOf(model_));
    return std::make_unique<Learner>(config_, model_, *backends_.back(), nullptr, 1);
  }

  ModelFolder model_;
  Config config_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Learner> learner_;
  testing::TemporaryFolder folder_;
};

TEST_F(CheckpointTest, ALoadedLearnerGoesOnInTheSameBits) {
  learner_->Step(testing::RandomBatch(1));
  learner_->Step(testing::RandomBatch(2));
  const fs::path path = CheckpointPath(folder_.path(), 2);
  learner_->Save(path);
  const auto other = NewLearner();
  other->Load(path);
  EXPECT_EQ(other->state().step, 2u);
  EXPECT_EQ(other->state().batches, 2u);
  EXPECT_EQ(other->state().num_tokens, learner_->state().num_tokens);
  EXPECT_EQ(other->weights()->version, 2u);
  EXPECT_EQ(other->weights()->fingerprint, learner_->weights()->fingerprint);
  const auto a = learner_->Step(testing::RandomBatch(3)), b = other->Step(testing::RandomBatch(3));
  EXPECT_EQ(a[0].at("loss"), b[0].at("loss"));
  EXPECT_EQ(learner_->weights()->fingerprint, other->weights()->fingerprint);
}

TEST_F(CheckpointTest, TheSameStateSavesToTheSameBytes) {
  learner_->Step(testing::RandomBatch(1));
  learner_->Save(folder_.path() / "a");
  learner_->Save(folder_.path() / "b");
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path() / "a")) {
    if (!entry.is_regular_file()) continue;
    const fs::path twin = folder_.path() / "b" / fs::relative(entry.path(), folder_.path() / "a");
    EXPECT_EQ(testing::Bytes(entry.path()), testing::Bytes(twin)) << entry.path();
  }
}

TEST_F(CheckpointTest, AFlippedByteInAnyFileIsFound) {
  learner_->Step(testing::RandomBatch(1));
  const fs::path path = CheckpointPath(folder_.path(), 1);
  learner_->Save(path);
  VerifyCheckpoint(path);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const std::string whole = ReadFile(entry.path());
    for (const size_t at : {size_t{0}, whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
      for (const int bit : {0, 5}) {
        std::string flipped = whole;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
        WriteFileAtomically(entry.path(), flipped);
        EXPECT_THROW(VerifyCheckpoint(path), FileError)
            << entry.path() << " byte " << at << " bit " << bit;
        EXPECT_THROW(NewLearner()->Load(path), FileError);
      }
    }
    WriteFileAtomically(entry.path(), whole);
  }
  EXPECT_EQ(files, 5);  // config.json, model.safetensors, and the trainer's three
  VerifyCheckpoint(path);
  const fs::path manifest = path / "trainer" / "manifest.json";
  const std::string text = ReadFile(manifest);
  WriteFileAtomically(manifest, " " + text);  // says the same
  EXPECT_THROW(VerifyCheckpoint(path), FileError);
  WriteFileAtomically(manifest, text);
  fs::remove(path / "trainer" / "state.json");
  EXPECT_THROW(VerifyCheckpoint(path), FileError);
}

TEST_F(CheckpointTest, TheNewestWholeOneIsTakenAndDamagedOnesPassedOver) {
  EXPECT_FALSE(NewestCheckpoint(folder_.path()).has_value());
  for (const uint64_t step : {5, 30, 200}) learner_->Save(CheckpointPath(folder_.path(), step));
  EXPECT_EQ(NewestCheckpoint(folder_.path()), CheckpointPath(folder_.path(), 200));
  WriteFileAtomically(CheckpointPath(folder_.path(), 200) / "config.json", "{}");
  EXPECT_EQ(NewestCheckpoint(folder_.path()), CheckpointPath(folder_.path(), 30));
  RemoveCheckpointsAfter(folder_.path(), 30);
  EXPECT_FALSE(fs::exists(CheckpointPath(folder_.path(), 200)));
  EXPECT_TRUE(fs::exists(CheckpointPath(folder_.path(), 5)));
  for (const uint64_t step : {5, 30}) {
    WriteFileAtomically(CheckpointPath(folder_.path(), step) / "config.json", "{}");
  }
  EXPECT_THROW(NewestCheckpoint(folder_.path()), FileError);  // nobody starts over in silence
}

TEST_F(CheckpointTest, PruningKeepsTheNewestAndClearsWhatAnInterruptedSaveLeft) {
  for (const uint64_t step : {1, 2, 3}) learner_->Save(CheckpointPath(folder_.path(), step));
  const fs::path left = folder_.path() / "checkpoints" / ".step-000004.partial";
  fs::create_directories(left / "trainer");
  PruneCheckpoints(folder_.path(), 0);
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(CheckpointPath(folder_.path(), 1)));
  PruneCheckpoints(folder_.path(), 2);
  EXPECT_FALSE(fs::exists(CheckpointPath(folder_.path(), 1)));
  EXPECT_TRUE(fs::exists(CheckpointPath(folder_.path(), 2)));
}

TEST_F(CheckpointTest, AnotherModelsCheckpointIsRefused) {
  learner_->Save(folder_.path() / "a");
  model_ = testing::TinyModel(/*tied=*/false);
  EXPECT_THAT([&] { NewLearner()->Load(folder_.path() / "a"); },
              ::testing::ThrowsMessage<FileError>(HasSubstr("another shape")));
}

// A file system of its own, in memory.
class SmallDisk {
 public:
  SmallDisk(const fs::path& path, size_t bytes) : path_(path) {
    fs::create_directory(path);
    const std::string size = "size=" + std::to_string(bytes / 4096 * 4096);
    mounted_ = ::mount("none", path.c_str(), "tmpfs", 0, size.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }

 private:
  fs::path path_;
  bool mounted_;
};

TEST_F(CheckpointTest, AFullDiskIsARunErrorAndTheLastCheckpointStaysWhole) {
  learner_->Save(folder_.path() / "measured");
  size_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path() / "measured")) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  const fs::path run = folder_.path() / "disk";
  const SmallDisk disk(run, bytes * 8 / 5);  // room for one checkpoint and part of a second
  if (!disk.mounted()) GTEST_SKIP() << "no tmpfs can be mounted here: " << std::strerror(errno);
  learner_->Save(CheckpointPath(run, 1));
  learner_->Step(testing::RandomBatch(1));
  EXPECT_THAT([&] { learner_->Save(CheckpointPath(run, 2)); },
              ::testing::ThrowsMessage<RunError>(HasSubstr("No space left on device")));
  EXPECT_EQ(NewestCheckpoint(run), CheckpointPath(run, 1));
  EXPECT_EQ(std::distance(fs::directory_iterator(run / "checkpoints"), {}), 1)
      << "nothing half-written is left";
}

}  // namespace
}  // namespace hone
