// The exact matrix product against LibTorch's, in one process, shape by shape; beside them, in the
// same rounds, the FMA peak.
//
// Weights rotate: as many copies of a matrix are used in turn as make up the model's size, so that
// between two uses of one matrix as many bytes pass through the caches as in a decoded token, where
// every layer has weights of its own. Both sides rotate; activations stay.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <iostream>

#include "common/buffer.h"
#include "flags.h"
#include "kernels/matmul.h"
#include "model_shapes.h"
#include "roofline.h"

namespace hone::bench {
namespace {

using kernels::Exec;
using kernels::PackedMatrix;

constexpr double kBytes = sizeof(float);

struct Setting {
  Exec exec;
  RoundPlan plan;
  double read_gb_s = 0;
};

// Weights [n, k] of a product, in copies that are used in turn: packed for the forward (y = x wᵀ),
// and as they lie for the backward (dx = dy w).
class Weights {
 public:
  Weights(const Exec& exec, const Product& product, int64_t copies)
      : panels_(static_cast<size_t>(copies * kernels::PackedSize(product.n, product.k))) {
    for (int64_t i = 0; i < copies; ++i) {
      torch_.push_back(at::randn({product.n, product.k}));
      float* panels = panels_.data() + i * kernels::PackedSize(product.n, product.k);
      packed_.push_back(kernels::PackTransposed(exec, torch_.back().const_data_ptr<float>(),
                                                product.n, product.k, panels));
    }
  }
  const PackedMatrix& NextPacked() { return packed_[hone_++ % packed_.size()]; }
  const float* NextRows() { return torch_[hone_++ % torch_.size()].const_data_ptr<float>(); }
  const at::Tensor& NextTorch() { return torch_[libtorch_++ % torch_.size()]; }

 private:
  Buffer<float> panels_;  // in one piece, as those of a model
  std::vector<PackedMatrix> packed_;
  std::vector<at::Tensor> torch_;
  size_t hone_ = 0, libtorch_ = 0;
};

OrderedJson Compare(const Setting& setting, const Product& product, const std::string& what,
                    int64_t rows, std::function<void()> hone, std::function<void()> libtorch) {
  std::vector<Side> sides = {{"hone", std::move(hone)}, {"libtorch", std::move(libtorch)}};
  const auto peak_flops = FmaFlopsOfCall(setting.exec);
  if (peak_flops) sides.push_back({"fma", [&] { RunFma(setting.exec); }});
  const auto seconds = MeasureRounds(sides, setting.plan);
  const double m = static_cast<double>(rows), n = static_cast<double>(product.n),
               k = static_cast<double>(product.k);
  const double flops = 2 * m * n * k, bytes = kBytes * (m * k + k * n + m * n);
  OrderedJson row = {{"product", product.name},
                     {"what", what},
                     {"rows", rows},
                     {"k", product.k},
                     {"n", product.n},
                     {"hone_gflops", flops / Median(seconds[0]) / 1e9},
                     {"libtorch_gflops", flops / Median(seconds[1]) / 1e9},
                     {"ratio", MedianRatio(seconds[1], seconds[0])}};
  if (peak_flops) {
    std::vector<double> peak, limit;  // seconds that this work would take at the FMA peak; at best
    for (const double call : seconds[2]) {
      peak.push_back(call * flops / *peak_flops);
      limit.push_back(std::max(peak.back(), bytes / (setting.read_gb_s * 1e9)));
    }
    row["share_of_peak"] = MedianRatio(peak, seconds[0]);
    row["libtorch_share_of_peak"] = MedianRatio(peak, seconds[1]);
    // Above 1 where weights come from a cache that is faster than memory.
    row["share_of_roofline"] = MedianRatio(limit, seconds[0]);
  }
  std::cerr << "  " << product.name << " " << what << " " << rows << "x" << product.k << "x"
            << product.n << ": " << row["ratio"].get<double>() << " times LibTorch\n";
  return row;
}

OrderedJson Forward(const Setting& setting, const Product& product, int64_t rows,
                    Weights* weights) {
  const at::Tensor x = at::randn({rows, product.k});
  at::Tensor y = at::empty({rows, product.n}), theirs = at::empty({rows, product.n});
  return Compare(
      setting, product, "forward", rows,
      [&] {
        kernels::Matmul(setting.exec, x.const_data_ptr<float>(), product.k, rows,
                        weights->NextPacked(), y.data_ptr<float>(), product.n);
      },
      [&] { at::linear_out(theirs, x, weights->NextTorch()); });
}

OrderedJson GradInput(const Setting& setting, const Product& product, int64_t rows,
                      Weights* weights) {
  const at::Tensor dy = at::randn({rows, product.n});
  at::Tensor dx = at::empty({rows, product.k}), theirs = at::empty({rows, product.k});
  return Compare(
      setting, product, "dX", rows,
      [&] {
        kernels::MatmulGradInput(setting.exec, dy.const_data_ptr<float>(), product.n,
                                 weights->NextRows(), rows, product.n, product.k,
                                 dx.data_ptr<float>(), product.k);
      },
      [&] { at::mm_out(theirs, dy, weights->NextTorch()); });
}

// Both add to a gradient that is there.
OrderedJson GradWeight(const Setting& setting, const Product& product, int64_t rows) {
  const at::Tensor dy = at::randn({rows, product.n}), x = at::randn({rows, product.k});
  at::Tensor dw = at::zeros({product.n, product.k}), theirs = at::zeros({product.n, product.k});
  return Compare(
      setting, product, "dW", rows,
      [&] {
        kernels::MatmulGradWeight(setting.exec, dy.const_data_ptr<float>(), product.n,
                                  x.const_data_ptr<float>(), product.k, rows, product.n, product.k,
                                  dw.data_ptr<float>());
      },
      [&] { theirs.addmm_(dy.t(), x); });
}

OrderedJson MeasureModel(const Setting& setting, const std::string& name, bool quick) {
  const ModelShape shape = ShapeOf(name);
  const std::vector<int64_t> rows =
      quick ? std::vector<int64_t>{1, 64} : std::vector<int64_t>{1, 8, 64, 512, 2048};
  const int64_t backward_rows = quick ? 64 : 2048;
  OrderedJson out = OrderedJson::array();
  for (const Product& product : ProductsOf(shape)) {
    const int64_t size = product.k * product.n;
    const int64_t copies = (MatrixFloats(shape) + size - 1) / size;
    Weights weights(setting.exec, product, copies);
    for (const int64_t m : rows) out.push_back(Forward(setting, product, m, &weights));
    out.push_back(GradInput(setting, product, backward_rows, &weights));
    out.push_back(GradWeight(setting, product, backward_rows));
  }
  return out;
}

OrderedJson Measure(const Flags& flags) {
  const c10::InferenceMode no_autograd;
  at::set_num_threads(flags.threads);
  at::manual_seed(0);
  ThreadPool pool(flags.threads);
  Setting setting{{&pool, kernels::DetectIsa()}, flags.plan};
  if (flags.quick) setting.plan = {1, 0.005};
  OrderedJson out = {{"roofline", MeasureRoofline(setting.exec)}};
  setting.read_gb_s = out["roofline"]["read_gb_s"];
  for (const std::string& model : flags.models) {
    std::cerr << model << ": products\n";
    out["models"][model] = MeasureModel(setting, model, flags.quick);
  }
  return out;
}

}  // namespace
}  // namespace hone::bench

int main(int argc, char** argv) {
  CLI::App program("Matrix products against LibTorch; bench/matmul runs it", "bench_matmul");
  hone::bench::Flags flags;
  hone::bench::AddFlags(program, &flags);
  return hone::bench::RunMain(program, argc, argv, [&] { return hone::bench::Measure(flags); });
}
