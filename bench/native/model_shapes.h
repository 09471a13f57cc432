// Shapes of the models of bench/peers/make_model.py, and the products of a layer.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace hone::bench {

struct ModelShape {
  int64_t hidden = 0, layers = 0, heads = 0, kv_heads = 0, ffn = 0, vocab = 0;
  int64_t head_dim() const { return hidden / heads; }
};

// y [m, n] = x [m, k] wᵀ.
struct Product {
  std::string name;
  int64_t k = 0, n = 0;
};

inline ModelShape ShapeOf(const std::string& name) {
  if (name == "micro") return {256, 4, 4, 2, 768, 512};
  if (name == "small") return {512, 8, 8, 2, 1536, 4096};
  throw std::invalid_argument("--models: expected micro or small, found " + name);
}

// As hone lays them out: q, k and v in one product, gate and up in one.
inline std::vector<Product> ProductsOf(const ModelShape& shape) {
  const int64_t qkv = (shape.heads + 2 * shape.kv_heads) * shape.head_dim();
  return {{"qkv", shape.hidden, qkv},
          {"o", shape.heads * shape.head_dim(), shape.hidden},
          {"gate_up", shape.hidden, 2 * shape.ffn},
          {"down", shape.ffn, shape.hidden},
          {"head", shape.hidden, shape.vocab}};
}

// Floats of all matrices that a decoded token reads.
inline int64_t MatrixFloats(const ModelShape& shape) {
  int64_t sum = 0;
  for (const Product& product : ProductsOf(shape)) {
    sum += product.k * product.n * (product.name == "head" ? 1 : shape.layers);
  }
  return sum;
}

}  // namespace hone::bench
