#include "reward/math/scalar.h"

#include <algorithm>

namespace hone::math {
namespace {

constexpr int kTrials = 6, kEnoughTrials = 3, kLeastTrials = 2;
constexpr mpfr_prec_t kBits = 192, kManyBits = 1024;

// A decimal that was written as such, with its sign; null: none.
const Node* DecimalOf(const Node* node, bool* negative) {
  *negative = node->op == Op::kNegate;
  if (*negative) node = node->args[0];
  return node->op == Op::kNumber && node->decimals > 0 ? node : nullptr;
}

// The decimal of a pair of which the other holds none, if it is of enough digits to stand for a
// value that was rounded.
struct Rounding {
  const Node* decimal = nullptr;
  bool negative = false, first = false;
};
Rounding RoundingOf(const Node* a, const Node* b, const Features& fa, const Features& fb,
                    int decimals) {
  Rounding rounding;
  if (fa.decimals == fb.decimals || fa.variables || fb.variables) return rounding;
  rounding.first = fa.decimals;
  const Node* node = DecimalOf(rounding.first ? a : b, &rounding.negative);
  if (node == nullptr || node->decimals < decimals) return rounding;
  // Four digits that count, so that 0.000000 stands for nothing but 0.
  mpz_class least = 1;
  for (int i = 0; i < std::min(decimals, 4) - 1; ++i) least *= 10;
  mpz_class unit;
  mpz_ui_pow_ui(unit.get_mpz_t(), 10, static_cast<unsigned long>(node->decimals));
  if (abs(node->number) * unit >= least) rounding.decimal = node;
  return rounding;
}

mpq_class HalfUnit(const Node* decimal) {
  mpz_class unit;
  mpz_ui_pow_ui(unit.get_mpz_t(), 10, static_cast<unsigned long>(decimal->decimals));
  return mpq_class(1, 2) / unit;
}

Tri NumericallySame(const Node* a, const Node* b, EvaluationMode mode, const Rounding& rounding,
                    Budget* budget) {
  for (const mpfr_prec_t bits : {kBits, kManyBits}) {
    mode.bits = bits;
    if (bits == kManyBits) budget->Take(200);
    Complex left(bits), right(bits), difference(bits);
    mpfr_exp_t scale = -(mpfr_exp_t{1} << 40);
    if (EvaluateNumeric(a, mode, budget, &left, &scale) != Kind::kNumeric ||
        EvaluateNumeric(b, mode, budget, &right, &scale) != Kind::kNumeric) {
      return Tri::kUnknown;
    }
    mpc_sub(difference.get(), left.get(), right.get(), MPC_RNDNN);
    mpfr_t size;
    mpfr_init2(size, bits);
    mpc_abs(size, difference.get(), MPFR_RNDN);
    const bool zero = mpfr_zero_p(size);
    const mpfr_exp_t exponent = zero ? 0 : mpfr_get_exp(size);
    bool rounds = false;
    if (rounding.decimal) rounds = mpfr_cmp_q(size, HalfUnit(rounding.decimal).get_mpq_t()) <= 0;
    mpc_abs(size, left.get(), MPFR_RNDN);
    const mpfr_exp_t magnitude = mpfr_zero_p(size) ? -(mpfr_exp_t{1} << 40) : mpfr_get_exp(size);
    mpfr_clear(size);
    if (rounds) return Tri::kYes;
    const mpfr_exp_t error = scale - bits + 24;
    if (!zero && exponent > error) return Tri::kNo;
    // Numbers so large that their units are beyond the precision may differ there.
    if (magnitude > bits - 60) {
      if (bits == kManyBits) return Tri::kUnknown;
      continue;
    }
    if (error < magnitude - 80) return Tri::kYes;
    if (bits == kManyBits) return Tri::kYes;  // both vanish to a thousand bits
  }
  return Tri::kUnknown;
}

Tri SameAt(const Node* a, const Node* b, const EvaluationMode& mode, const Rounding& rounding,
           Budget* budget) {
  mpq_class left, right;
  const Kind first = EvaluateExact(a, mode, budget, &left);
  if (first == Kind::kUndefined) return Tri::kUnknown;
  const Kind second = EvaluateExact(b, mode, budget, &right);
  if (second == Kind::kUndefined) return Tri::kUnknown;
  if (first == Kind::kExact && second == Kind::kExact) {
    if (left == right) return Tri::kYes;
    if (rounding.decimal && abs(left - right) <= HalfUnit(rounding.decimal)) return Tri::kYes;
    return Tri::kNo;
  }
  return NumericallySame(a, b, mode, rounding, budget);
}

Tri SameUnder(const Node* a, const Node* b, const Features& fa, const Features& fb, bool common_log,
              const Comparison& comparison) {
  const Rounding rounding = RoundingOf(a, b, fa, fb, comparison.decimals);
  const bool variables = fa.variables || fb.variables;
  EvaluationMode mode;
  mode.complex = fa.imaginary || fb.imaginary;
  mode.common_log = common_log;
  int same = 0;
  for (mode.trial = 0; mode.trial < (variables ? kTrials : 1); ++mode.trial) {
    const Tri tri = SameAt(a, b, mode, rounding, comparison.budget);
    if (comparison.budget->spent) return Tri::kUnknown;
    if (tri == Tri::kNo) return Tri::kNo;
    if (tri == Tri::kYes && ++same == kEnoughTrials) return Tri::kYes;
  }
  return same >= (variables ? kLeastTrials : 1) ? Tri::kYes : Tri::kUnknown;
}

}  // namespace

bool SameTree(const Node* a, const Node* b) {
  if (a == b) return true;
  if (a->op != b->op || a->name != b->name || a->args.size() != b->args.size() ||
      a->relations != b->relations || a->rows != b->rows || a->columns != b->columns ||
      a->left_open != b->left_open || a->right_open != b->right_open || a->ordered != b->ordered ||
      a->number != b->number) {
    return false;
  }
  for (size_t i = 0; i < a->args.size(); ++i) {
    if (!SameTree(a->args[i], b->args[i])) return false;
  }
  return true;
}

Tri SameScalar(const Node* a, const Node* b, const Comparison& comparison) {
  if (a->op == Op::kNumber && b->op == Op::kNumber && a->number == b->number) return Tri::kYes;
  const Features fa = FeaturesOf(a), fb = FeaturesOf(b);
  if (!fa.scalar || !fb.scalar) return SameTree(a, b) ? Tri::kYes : Tri::kNo;
  if (SameTree(a, b)) return Tri::kYes;
  const Tri natural = SameUnder(a, b, fa, fb, false, comparison);
  if (natural == Tri::kYes || !(fa.bare_log || fb.bare_log)) return natural;
  return SameUnder(a, b, fa, fb, true, comparison);
}

std::optional<int> Proportional(const Node* a, const Node* b, const Comparison& comparison) {
  const Features fa = FeaturesOf(a), fb = FeaturesOf(b);
  if (!fa.scalar || !fb.scalar || !fa.variables || !fb.variables) return std::nullopt;
  EvaluationMode mode;
  // The ratio at the first point where both are real and not 0; there it is kept as a node.
  int same = 0;
  Complex first(kBits), ratio(kBits), left(kBits), right(kBits);
  for (; mode.trial < kTrials && same < kEnoughTrials; ++mode.trial) {
    mpfr_exp_t scale = -(mpfr_exp_t{1} << 40);
    if (EvaluateNumeric(a, mode, comparison.budget, &left, &scale) != Kind::kNumeric ||
        EvaluateNumeric(b, mode, comparison.budget, &right, &scale) != Kind::kNumeric) {
      continue;
    }
    if (mpfr_zero_p(right.real()) || mpfr_zero_p(left.real())) {
      if (mpfr_zero_p(right.real()) != mpfr_zero_p(left.real())) return std::nullopt;
      continue;
    }
    mpc_div(ratio.get(), left.get(), right.get(), MPC_RNDNN);
    if (same++ == 0) {
      first = ratio;
      continue;
    }
    mpc_sub(ratio.get(), ratio.get(), first.get(), MPC_RNDNN);
    if (!mpfr_zero_p(ratio.real()) &&
        mpfr_get_exp(ratio.real()) > mpfr_get_exp(first.real()) - kBits + 60) {
      return std::nullopt;
    }
  }
  if (comparison.budget->spent || same < kLeastTrials) return std::nullopt;
  return mpfr_sgn(first.real());
}

bool RealValue(const Node* node, const Comparison& comparison, Complex* value) {
  const Features features = FeaturesOf(node);
  if (!features.scalar || features.variables || features.imaginary) return false;
  EvaluationMode mode;
  mode.bits = value->bits();
  mpfr_exp_t scale = -(mpfr_exp_t{1} << 40);
  return EvaluateNumeric(node, mode, comparison.budget, value, &scale) == Kind::kNumeric;
}

}  // namespace hone::math
