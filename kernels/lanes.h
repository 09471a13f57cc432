// The fixed tree that ends every sum over 16 virtual lanes: halves are folded onto each other.
#pragma once

namespace hone::kernels {

inline constexpr int kLanes = 16;

template <class T>
T TreeSum(const T* lanes) {
  T fold[kLanes / 2];
  for (int i = 0; i < 8; ++i) fold[i] = lanes[i] + lanes[i + 8];
  for (int width = 4; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) fold[i] = fold[i] + fold[i + width];
  }
  return fold[0];
}

}  // namespace hone::kernels
