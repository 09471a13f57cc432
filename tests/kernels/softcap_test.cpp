#include "kernels/softcap.h"

#include "every_exec.h"

namespace hone::kernels {
namespace {

TEST(SoftCapTest, EveryExecGivesTheReferencesBits) {
  for (const int64_t n : {1, 15, 16, 100, 5000}) {
    const auto x = RandomFloats(n, 1, 200), dy = RandomFloats(n, 2);
    std::vector<float> y = x, dx = dy;
    reference::SoftCap(y.data(), n, 30);
    reference::SoftCapBackward(y.data(), n, 30, dx.data());
    ForEveryExec([&](const Exec& exec) {
      std::vector<float> found = x, found_dx = dy;
      SoftCap(exec, found.data(), n, 30);
      ExpectSameBits(y, found);
      SoftCapBackward(exec, found.data(), n, 30, found_dx.data());
      ExpectSameBits(dx, found_dx);
    });
  }
}

TEST(SoftCapTest, IsCapTimesTanhAndItsSlope) {
  const double cap = 5;
  const auto x = RandomFloats(400, 3, 12);
  std::vector<float> y = x, dx(x.size(), 1.0f);
  reference::SoftCap(y.data(), std::ssize(y), static_cast<float>(cap));
  reference::SoftCapBackward(y.data(), std::ssize(y), static_cast<float>(cap), dx.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const double tanh = std::tanh(x[i] / cap);
    EXPECT_NEAR(y[i], cap * tanh, 1e-6 * cap);
    EXPECT_NEAR(dx[i], 1 - tanh * tanh, 1e-6);
  }
}

}  // namespace
}  // namespace hone::kernels
