// The exact attention against LibTorch's scaled_dot_product_attention, in one process: decode,
// causal prefill, and the learner's packed groups; forward and backward.
//
// LibTorch gets its keys and values contiguous and without pages, to its advantage. Where heads
// share keys it may take them grouped or already repeated, whichever is faster.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <iostream>

#include "attention_cases.h"
#include "flags.h"
#include "kernels/attention.h"
#include "model_shapes.h"
#include "roofline.h"

namespace hone::bench {
namespace {

using kernels::AttentionShape;
using kernels::AttentionSpan;
using kernels::Exec;

struct Setting {
  Exec exec;
  RoundPlan plan;
  double read_gb_s = 0;
  bool quick = false;
};

// What a case needs, of hone's work: FLOPs and bytes that have to be read.
struct Cost {
  double flops = 0, bytes = 0;
};

OrderedJson Compare(const Setting& setting, OrderedJson row, const Cost& cost,
                    std::function<void()> hone, std::function<void()> libtorch) {
  std::vector<Side> sides = {{"hone", std::move(hone)}, {"libtorch", std::move(libtorch)}};
  const auto peak_flops = FmaFlopsOfCall(setting.exec);
  if (peak_flops) sides.push_back({"fma", [&] { RunFma(setting.exec); }});
  const auto seconds = MeasureRounds(sides, setting.plan);
  const double ours = Median(seconds[0]);
  row["hone_s"] = ours;
  row["libtorch_s"] = Median(seconds[1]);
  row["ratio"] = MedianRatio(seconds[1], seconds[0]);
  row["hone_gflops"] = cost.flops / ours / 1e9;
  if (cost.bytes > 0) row["hone_gb_s"] = cost.bytes / ours / 1e9;
  if (peak_flops) {
    std::vector<double> peak, limit;
    for (const double call : seconds[2]) {
      peak.push_back(call * cost.flops / *peak_flops);
      limit.push_back(std::max(peak.back(), cost.bytes / (setting.read_gb_s * 1e9)));
    }
    row["share_of_peak"] = MedianRatio(peak, seconds[0]);
    row["share_of_roofline"] = MedianRatio(limit, seconds[0]);
  }
  std::cerr << "  " << row["what"].get<std::string>() << " " << row["sequences"] << " x "
            << row["length"] << ": " << row["ratio"].get<double>() << " times LibTorch\n";
  return row;
}

const std::function<void()>& Faster(const std::function<void()>& a,
                                    const std::function<void()>& b) {
  a();
  b();
  return ShortestSeconds(a) <= ShortestSeconds(b) ? a : b;
}

// One token of each sequence against its whole context. Layers take turns as in a model, as far as
// 256 MiB of keys and values go: a layer's are cold again when its turn comes.
OrderedJson Decode(const Setting& setting, const AttentionShape& shape, int64_t layers,
                   int64_t batch, int64_t context) {
  const int64_t q_dim = shape.heads * shape.head_dim, group = shape.heads / shape.kv_heads;
  const double bytes = static_cast<double>(2 * batch * context * shape.kv_heads * shape.head_dim *
                                           static_cast<int64_t>(sizeof(float)));
  const auto copies = static_cast<size_t>(
      std::clamp(static_cast<int64_t>((256 << 20) / bytes), int64_t{1}, layers));
  std::vector<PagedSequences> paged;
  std::vector<std::vector<AttentionSpan>> spans(copies);
  std::vector<at::Tensor> keys, values;
  for (size_t c = 0; c < copies; ++c) {
    paged.push_back(MakePaged(shape, batch, context));
    keys.push_back(at::randn({batch, shape.kv_heads, context, shape.head_dim}));
    values.push_back(at::randn({batch, shape.kv_heads, context, shape.head_dim}));
    for (int64_t s = 0; s < batch; ++s) {
      spans[c].push_back(
          {static_cast<int32_t>(s), 1, static_cast<int32_t>(context - 1), paged[c].pages_of(s)});
    }
  }
  const at::Tensor q = at::randn({batch, q_dim});
  at::Tensor out = at::empty({batch, q_dim});
  size_t hone_turn = 0, torch_turn = 0;
  const auto hone = [&] {
    const size_t c = hone_turn++ % copies;
    kernels::Attention(setting.exec, shape, spans[c].data(), batch, q.const_data_ptr<float>(),
                       q_dim, paged[c].keys.const_data_ptr<float>(),
                       paged[c].values.const_data_ptr<float>(), out.data_ptr<float>(), q_dim,
                       nullptr);
  };
  const std::function<void()> grouped = [&] {
    const size_t c = torch_turn++ % copies;
    at::scaled_dot_product_attention(q.view({batch, shape.heads, 1, shape.head_dim}), keys[c],
                                     values[c], {}, 0.0, false, std::nullopt, true);
  };
  // The heads of a group as the queries of one head: the same numbers, and nothing is repeated.
  const std::function<void()> folded = [&] {
    const size_t c = torch_turn++ % copies;
    at::scaled_dot_product_attention(q.view({batch, shape.kv_heads, group, shape.head_dim}),
                                     keys[c], values[c]);
  };
  const double flops = static_cast<double>(4 * batch * context * q_dim);
  return Compare(setting, {{"what", "decode"}, {"sequences", batch}, {"length", context}},
                 {flops, bytes}, hone, Faster(grouped, folded));
}

// Forward and backward of spans in a paged cache, against a causal [sequences, heads, length, D].
class Causal {
 public:
  Causal(const Setting& setting, const AttentionShape& shape, std::vector<AttentionSpan> spans,
         int64_t rows, int64_t pages, int64_t sequences, int64_t length)
      : setting_(setting),
        shape_(shape),
        spans_(std::move(spans)),
        q_dim_(shape.heads * shape.head_dim),
        sequences_(sequences),
        length_(length) {
    const int64_t cache = pages * shape.kv_heads * shape.head_dim * kernels::kPagePositions;
    q_ = at::randn({rows, q_dim_});
    dout_ = at::randn({rows, q_dim_});
    out_ = at::empty({rows, q_dim_});
    dq_ = at::empty({rows, q_dim_});
    stats_ = at::empty({rows, shape.heads, 2});
    keys_ = at::randn({cache});
    values_ = at::randn({cache});
    grad_k_ = at::zeros({cache});
    grad_v_ = at::zeros({cache});
    const int64_t group = shape.heads / shape.kv_heads;
    tq_ = at::randn({sequences, shape.heads, length, shape.head_dim});
    tdout_ = at::randn_like(tq_);
    tk_ = at::randn({sequences, shape.kv_heads, length, shape.head_dim});
    tv_ = at::randn_like(tk_);
    tk_repeated_ = tk_.repeat_interleave(group, 1);
    tv_repeated_ = tv_.repeat_interleave(group, 1);
  }

  OrderedJson Forward(const std::string& what) {
    const std::function<void()> grouped = [&] {
      at::scaled_dot_product_attention(tq_, tk_, tv_, {}, 0.0, true, std::nullopt, true);
    };
    const std::function<void()> repeated = [&] {
      at::scaled_dot_product_attention(tq_, tk_repeated_, tv_repeated_, {}, 0.0, true);
    };
    return Compare(
        setting_, Row(what + " forward"), {4 * MultiplyAdds(), 0}, [&] { RunForward(); },
        Faster(grouped, repeated));
  }

  // Five products: scores are computed again, and four gradients follow. LibTorch
  // is spared the sum over the heads that share a key.
  OrderedJson Backward(const std::string& what) {
    RunForward();
    const auto [out, log_sum_exp] =
        at::_scaled_dot_product_flash_attention_for_cpu(tq_, tk_repeated_, tv_repeated_, 0.0, true);
    const auto libtorch = [&, out = out, log_sum_exp = log_sum_exp] {
      at::_scaled_dot_product_flash_attention_for_cpu_backward(
          tdout_, tq_, tk_repeated_, tv_repeated_, out, log_sum_exp, 0.0, true);
    };
    const auto hone = [&] {
      kernels::AttentionBackward(
          setting_.exec, shape_, spans_.data(), static_cast<int64_t>(spans_.size()),
          q_.const_data_ptr<float>(), q_dim_, keys_.const_data_ptr<float>(),
          values_.const_data_ptr<float>(), out_.const_data_ptr<float>(), q_dim_,
          stats_.const_data_ptr<float>(), dout_.const_data_ptr<float>(), q_dim_,
          dq_.data_ptr<float>(), q_dim_, grad_k_.data_ptr<float>(), grad_v_.data_ptr<float>());
    };
    return Compare(setting_, Row(what + " backward"), {10 * MultiplyAdds(), 0}, hone, libtorch);
  }

 private:
  OrderedJson Row(const std::string& what) const {
    return {{"what", what}, {"sequences", sequences_}, {"length", length_}};
  }
  // Multiply-adds of one product, 2 FLOPs each: the forward has two (scores, and the sum of
  // values).
  double MultiplyAdds() const { return SeenPairs(spans_) * static_cast<double>(q_dim_); }
  void RunForward() {
    kernels::Attention(setting_.exec, shape_, spans_.data(), static_cast<int64_t>(spans_.size()),
                       q_.const_data_ptr<float>(), q_dim_, keys_.const_data_ptr<float>(),
                       values_.const_data_ptr<float>(), out_.data_ptr<float>(), q_dim_,
                       stats_.data_ptr<float>());
  }

  const Setting& setting_;
  const AttentionShape shape_;
  const std::vector<AttentionSpan> spans_;
  const int64_t q_dim_, sequences_, length_;
  at::Tensor q_, dout_, out_, dq_, stats_, keys_, values_, grad_k_, grad_v_;
  at::Tensor tq_, tdout_, tk_, tv_, tk_repeated_, tv_repeated_;
};

void AddCausal(const Setting& setting, const AttentionShape& shape, int64_t length,
               OrderedJson* rows) {
  const PagedSequences paged = MakePaged(shape, 1, length);
  Causal work(setting, shape, {{0, static_cast<int32_t>(length), 0, paged.pages.data()}}, length,
              paged.pages_each, 1, length);
  rows->push_back(work.Forward("causal"));
  rows->push_back(work.Backward("causal"));
}

void AddGroups(const Setting& setting, const AttentionShape& shape, const GroupWork& group_work,
               OrderedJson* rows) {
  const PackedGroups packed = PackGroups(group_work);
  Causal work(setting, shape, packed.spans, packed.rows, packed.num_pages,
              group_work.groups * group_work.completions, group_work.prompt + group_work.tokens);
  rows->push_back(work.Forward("groups"));
  rows->push_back(work.Backward("groups"));
}

OrderedJson MeasureModel(const Setting& setting, const std::string& name) {
  const ModelShape model = ShapeOf(name);
  const AttentionShape shape = {model.heads, model.kv_heads, model.head_dim()};
  OrderedJson rows = OrderedJson::array();
  using Sizes = std::vector<int64_t>;
  for (const int64_t batch : setting.quick ? Sizes{32} : Sizes{32, 64}) {
    for (const int64_t context : setting.quick ? Sizes{64} : Sizes{64, 256, 1024, 4096, 8192})
      rows.push_back(Decode(setting, shape, model.layers, batch, context));
  }
  for (const int64_t length : setting.quick ? Sizes{512} : Sizes{512, 1024, 2048})
    AddCausal(setting, shape, length, &rows);
  AddGroups(setting, shape, {.groups = name == "micro" ? 8 : 4}, &rows);
  return rows;
}

OrderedJson Measure(const Flags& flags) {
  const c10::InferenceMode no_autograd;
  at::set_num_threads(flags.threads);
  at::manual_seed(0);
  ThreadPool pool(flags.threads);
  Setting setting{{&pool, kernels::DetectIsa()}, flags.plan, 0, flags.quick};
  if (flags.quick) setting.plan = {1, 0.005};
  OrderedJson out = {{"roofline", MeasureRoofline(setting.exec)}};
  setting.read_gb_s = out["roofline"]["read_gb_s"];
  for (const std::string& model : flags.models) {
    std::cerr << model << ": attention\n";
    out["models"][model] = MeasureModel(setting, model);
  }
  return out;
}

}  // namespace
}  // namespace hone::bench

int main(int argc, char** argv) {
  CLI::App program("Attention against LibTorch; bench/attention runs it", "bench_attention");
  hone::bench::Flags flags;
  hone::bench::AddFlags(program, &flags);
  return hone::bench::RunMain(program, argc, argv, [&] { return hone::bench::Measure(flags); });
}
