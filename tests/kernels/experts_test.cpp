#include "kernels/experts.h"

#include <algorithm>
#include <numeric>

#include "every_exec.h"
#include "kernels/softmax.h"

namespace hone::kernels {
namespace {

struct Routes {
  std::vector<int32_t> experts_TK;
  std::vector<float> weights_TK;
};

Routes RouteOn(const Exec& exec, const Choice& choice, const float* logits_TE) {
  const auto places = static_cast<size_t>(choice.t * choice.k);
  Routes routes{std::vector<int32_t>(places), std::vector<float>(places)};
  Route(exec, choice, logits_TE, routes.experts_TK.data(), routes.weights_TK.data());
  return routes;
}

// The contract in another way: all experts sorted, the first k of them sorted again.
Routes Reference(const Choice& choice, const std::vector<float>& logits_TE) {
  Routes routes;
  for (int64_t row = 0; row < choice.t; ++row) {
    const float* logits = logits_TE.data() + row * choice.e;
    const float max = *std::max_element(logits, logits + choice.e);
    std::vector<float> p(logits, logits + choice.e);
    for (float& value : p) value = Exp(value - max);
    const float sum = std::accumulate(p.begin(), p.end(), 0.0f);
    for (float& value : p) value /= sum;
    std::vector<int32_t> order(p.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return p[a] > p[b]; });
    order.resize(static_cast<size_t>(choice.k));
    std::sort(order.begin(), order.end());
    float chosen = 0;
    for (const int32_t expert : order) chosen += p[expert];
    for (const int32_t expert : order) {
      routes.experts_TK.push_back(expert);
      routes.weights_TK.push_back(choice.normalise ? p[expert] / chosen : p[expert]);
    }
  }
  return routes;
}

// sum of d_weights * weights of one row whose experts are given.
double Loss(const std::vector<double>& logits, const std::vector<int32_t>& experts,
            const std::vector<float>& d_weights, bool normalise) {
  double all = 0, chosen = 0, loss = 0;
  for (const double logit : logits) all += std::exp(logit);
  for (const int32_t expert : experts) chosen += std::exp(logits[expert]);
  for (size_t i = 0; i < experts.size(); ++i)
    loss += d_weights[i] * std::exp(logits[experts[i]]) / (normalise ? chosen : all);
  return loss;
}

TEST(ExpertsTest, ARowGoesToItsLikeliestInOrderOfTheirNumbers) {
  for (const Choice& choice : {Choice{70, 13, 4, false},
                               {70, 13, 4, true},
                               {33, 8, 1, true},
                               {5, 6, 6, true},
                               {3, 1, 1, false}}) {
    const auto logits = RandomFloats(static_cast<size_t>(choice.t * choice.e), 7, 4);
    const Routes expected = Reference(choice, logits);
    ForEveryExec([&](const Exec& exec) {
      const Routes found = RouteOn(exec, choice, logits.data());
      ExpectSameBits(expected.experts_TK, found.experts_TK);
      ExpectSameBits(expected.weights_TK, found.weights_TK);
    });
  }
}

TEST(ExpertsTest, OfEqualExpertsTheLowerNumbersAreChosen) {
  const std::vector<float> logits = {1, 2, 1, 1, 2, 1};
  const Routes routes = RouteOn(Exec{}, {1, 6, 3, true}, logits.data());
  EXPECT_EQ(routes.experts_TK, (std::vector<int32_t>{0, 1, 4}));
  EXPECT_FLOAT_EQ(routes.weights_TK[1], routes.weights_TK[2]);
  EXPECT_FLOAT_EQ(std::accumulate(routes.weights_TK.begin(), routes.weights_TK.end(), 0.0f), 1);
}

TEST(ExpertsTest, LargeLogitsAndNaNsStayInBounds) {
  const float nan = std::nanf("");
  const std::vector<float> logits = {3e38f, -3e38f, 200, nan, nan, nan};
  const Routes routes = RouteOn(Exec{}, {2, 3, 2, true}, logits.data());
  EXPECT_EQ(routes.experts_TK, (std::vector<int32_t>{0, 1, 0, 1}));
  EXPECT_EQ(routes.weights_TK[0], 1);
  EXPECT_TRUE(std::isnan(routes.weights_TK[2]));
}

TEST(ExpertsTest, AnotherBatchChoosesTheSameForARow) {
  const Choice choice{50, 9, 3, true}, alone{1, 9, 3, true};
  const auto logits = RandomFloats(static_cast<size_t>(choice.t * choice.e), 8, 3);
  const Routes all = RouteOn(Exec{}, choice, logits.data());
  for (int64_t row = 0; row < choice.t; ++row) {
    const Routes one = RouteOn(Exec{}, alone, logits.data() + row * choice.e);
    for (int64_t i = 0; i < choice.k; ++i) {
      EXPECT_EQ(one.experts_TK[i], all.experts_TK[row * choice.k + i]);
      EXPECT_EQ(one.weights_TK[i], all.weights_TK[row * choice.k + i]);
    }
  }
}

TEST(ExpertsTest, TheBackwardIsTheGradientOfTheWeights) {
  for (const bool normalise : {false, true}) {
    SCOPED_TRACE(normalise);
    const Choice choice{40, 7, 3, normalise};
    const auto logits = RandomFloats(static_cast<size_t>(choice.t * choice.e), 9, 2),
               d_weights = RandomFloats(static_cast<size_t>(choice.t * choice.k), 10);
    const Routes routes = RouteOn(Exec{}, choice, logits.data());
    std::vector<double> expected;
    for (int64_t row = 0; row < choice.t; ++row) {
      const std::vector<double> x(logits.begin() + row * choice.e,
                                  logits.begin() + (row + 1) * choice.e);
      const std::vector<int32_t> experts(routes.experts_TK.begin() + row * choice.k,
                                         routes.experts_TK.begin() + (row + 1) * choice.k);
      const std::vector<float> d(d_weights.begin() + row * choice.k,
                                 d_weights.begin() + (row + 1) * choice.k);
      const auto loss = [&](const std::vector<double>& at) {
        return Loss(at, experts, d, normalise);
      };
      for (size_t i = 0; i < x.size(); ++i) expected.push_back(NumericGradient(loss, x, i));
    }
    std::vector<float> first;
    ForEveryExec([&](const Exec& exec) {
      std::vector<float> d_logits(logits.size(), 99);
      RouteBackward(exec, choice, logits.data(), routes.experts_TK.data(), d_weights.data(),
                    d_logits.data());
      ExpectClose(expected, d_logits, 1e-6);
      if (first.empty()) first = d_logits;
      ExpectSameBits(first, d_logits);
    });
  }
}

TEST(ExpertsTest, RowsMoveToTheirPlacesAndBack) {
  const int64_t t = 60, k = 2, d = 19;
  std::vector<int32_t> places;  // one of each row that is no multiple of 3
  for (int32_t row = 0; row < t; ++row) {
    if (row % 3 != 0) places.push_back(row * 2 + row % 2);
  }
  const auto n = static_cast<int64_t>(places.size());
  const auto x = RandomFloats(t * d, 1), y0 = RandomFloats(t * d, 2),
             rows = RandomFloats(t * k * d, 3), weights = RandomFloats(t * k, 4);
  std::vector<float> gathered, gathered_places, added = y0, weighed = y0, scaled, scattered = rows,
                                                dots = weights;
  for (const int32_t place : places) {
    float dot = 0;
    for (int64_t j = 0; j < d; ++j) {
      const float value = x[place / k * d + j];
      gathered.push_back(value);
      gathered_places.push_back(rows[place * d + j]);
      scaled.push_back(value * weights[place]);
      scattered[place * d + j] = value;
      added[place / k * d + j] += value;
      weighed[place / k * d + j] += weights[place] * value;
      dot += value * rows[place * d + j];
    }
    dots[place] = dot;
  }
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> in(n * d), in_places(n * d), sum = y0, weighed_sum = y0, out = rows,
                                                    products = weights;
    GatherRows(exec, x.data(), places.data(), n, k, d, in.data());
    ExpectSameBits(gathered, in);
    GatherRows(exec, rows.data(), places.data(), n, 1, d, in_places.data());
    ExpectSameBits(gathered_places, in_places);
    ScatterRows(exec, in.data(), places.data(), n, d, out.data());
    ExpectSameBits(scattered, out);
    AddRows(exec, in.data(), places.data(), n, k, nullptr, d, sum.data());
    ExpectSameBits(added, sum);
    AddRows(exec, in.data(), places.data(), n, k, weights.data(), d, weighed_sum.data());
    ExpectSameBits(weighed, weighed_sum);
    DotRows(exec, in.data(), in_places.data(), places.data(), n, d, products.data());
    ExpectSameBits(dots, products);
    ScaleRows(exec, places.data(), n, weights.data(), d, in.data());
    ExpectSameBits(scaled, in);
  });
}

}  // namespace
}  // namespace hone::kernels
