#include "kernels/exec.h"

#include <cstdlib>

#include "common/error.h"
#include "every_exec.h"

namespace hone::kernels {
namespace {

class ExecTest : public testing::Test {
 protected:
  void TearDown() override { unsetenv("HONE_ISA"); }
};

TEST_F(ExecTest, TheVariableChoosesAnyIsaThatTheMachineHas) {
  unsetenv("HONE_ISA");
  EXPECT_EQ(DetectIsa(), AvailableIsas().back());
  for (Isa isa : AvailableIsas()) {
    setenv("HONE_ISA", IsaName(isa).c_str(), 1);
    EXPECT_EQ(DetectIsa(), isa);
  }
}

TEST_F(ExecTest, AnUnknownOrMissingIsaIsAUsageError) {
  setenv("HONE_ISA", "sse9", 1);
  EXPECT_THROW(DetectIsa(), UsageError);
  for (Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    if (IsaAvailable(isa)) continue;
    setenv("HONE_ISA", IsaName(isa).c_str(), 1);
    EXPECT_THROW(DetectIsa(), UsageError);
  }
}

}  // namespace
}  // namespace hone::kernels
