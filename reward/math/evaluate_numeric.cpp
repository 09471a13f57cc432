#include <algorithm>
#include <cmath>

#include "reward/math/evaluate.h"
#include "reward/math/points.h"

namespace hone::math {
namespace {

constexpr mpfr_exp_t kMaxFunctionExponent = 64;           // sin, exp and the like of less than 2^64
constexpr mpfr_exp_t kMaxExponent = mpfr_exp_t{1} << 34;  // of any value

class Numeric {
 public:
  Numeric(const EvaluationMode& mode, Budget* budget, mpfr_exp_t* scale)
      : mode_(mode), budget_(budget), scale_(scale) {}

  bool Run(const Node* node, Complex* out) {
    // A transcendental function costs as much as some dozens of nodes.
    if (!budget_->Take(node->op == Op::kFunction || node->op == Op::kPower ? 20 : 2)) return false;
    if (!Apply(node, out) || !out->finite()) return false;
    if (!mode_.complex && !mpfr_zero_p(out->imaginary())) return false;
    // The sign of a zero would choose the side of a branch cut.
    if (mpfr_zero_p(out->imaginary())) mpfr_set_zero(out->imaginary(), 1);
    for (const auto* part : {out->real(), out->imaginary()}) {
      if (!mpfr_zero_p(part)) {
        *scale_ = std::max(*scale_, mpfr_get_exp(part));
        if (std::abs(mpfr_get_exp(part)) > kMaxExponent) return false;
      }
    }
    return true;
  }

 private:
  Complex Make() const { return Complex(mode_.bits); }

  bool Apply(const Node* node, Complex* out) {
    switch (node->op) {
      case Op::kNumber:
        mpc_set_q(out->get(), node->number.get_mpq_t(), MPC_RNDNN);
        return true;
      case Op::kVariable:
        mpc_set_q(out->get(), PointOf(node->name, mode_.trial).get_mpq_t(), MPC_RNDNN);
        return true;
      case Op::kPi:
        mpc_set_ui(out->get(), 0, MPC_RNDNN);
        mpfr_const_pi(out->real(), MPFR_RNDN);
        return true;
      case Op::kEuler:
        mpc_set_ui(out->get(), 1, MPC_RNDNN);
        mpfr_exp(out->real(), out->real(), MPFR_RNDN);
        return true;
      case Op::kImaginary:
        mpc_set_ui_ui(out->get(), 0, 1, MPC_RNDNN);
        return true;
      case Op::kAdd:
      case Op::kMultiply:
        return Fold(node, out);
      case Op::kNegate:
      case Op::kAbsolute:
      case Op::kPercent:
      case Op::kDegree:
        return Unary(node, out);
      case Op::kDivide:
      case Op::kRatio:
        return Divide(node, out);
      case Op::kPower:
        return Power(node, out);
      case Op::kRoot:
        return Root(node, out);
      case Op::kFunction:
        return Function(node, out);
      case Op::kCall:
      case Op::kFactorial:
      case Op::kBinomial: {
        mpq_class value;
        if (EvaluateExact(node, mode_, budget_, &value) != Kind::kExact) return false;
        mpc_set_q(out->get(), value.get_mpq_t(), MPC_RNDNN);
        return true;
      }
      default:
        return false;
    }
  }

  bool Fold(const Node* node, Complex* out) {
    if (!Run(node->args[0], out)) return false;
    Complex next = Make();
    for (size_t i = 1; i < node->args.size(); ++i) {
      if (!Run(node->args[i], &next)) return false;
      (node->op == Op::kAdd ? mpc_add : mpc_mul)(out->get(), out->get(), next.get(), MPC_RNDNN);
    }
    return true;
  }

  bool Unary(const Node* node, Complex* out) {
    if (!Run(node->args[0], out)) return false;
    if (node->op == Op::kNegate) mpc_neg(out->get(), out->get(), MPC_RNDNN);
    if (node->op == Op::kPercent) mpc_div_ui(out->get(), out->get(), 100, MPC_RNDNN);
    if (node->op == Op::kAbsolute) {
      mpc_abs(out->real(), out->get(), MPFR_RNDN);
      mpfr_set_zero(out->imaginary(), 1);
    }
    if (node->op == Op::kDegree) {
      Complex pi = Make();
      mpfr_const_pi(pi.real(), MPFR_RNDN);
      mpfr_set_zero(pi.imaginary(), 1);
      mpc_mul(out->get(), out->get(), pi.get(), MPC_RNDNN);
      mpc_div_ui(out->get(), out->get(), 180, MPC_RNDNN);
    }
    return true;
  }

  bool Divide(const Node* node, Complex* out) {
    Complex under = Make();
    if (node->args.size() != 2 || !Run(node->args[0], out) || !Run(node->args[1], &under))
      return false;
    if (IsZero(under)) return false;
    mpc_div(out->get(), out->get(), under.get(), MPC_RNDNN);
    return true;
  }

  static bool IsZero(const Complex& value) {
    return mpfr_zero_p(value.real()) && mpfr_zero_p(value.imaginary());
  }
  static bool IsReal(const Complex& value) { return mpfr_zero_p(value.imaginary()); }

  // So that no function reduces an argument of millions of bits.
  static bool Moderate(const Complex& value, mpfr_exp_t limit) {
    for (const auto* part : {value.real(), value.imaginary()}) {
      if (!mpfr_zero_p(part) && mpfr_get_exp(part) > limit) return false;
    }
    return true;
  }

  bool RaiseReal(const Complex& base, const Complex& exponent, Complex* out) {
    mpfr_set_zero(out->imaginary(), 1);
    if (mpfr_zero_p(base.real()) && mpfr_sgn(exponent.real()) <= 0) return false;
    if (!Moderate(exponent, 40)) return false;
    if (!mpfr_zero_p(base.real())) {
      const double bits =
          static_cast<double>(mpfr_get_exp(base.real())) * mpfr_get_d(exponent.real(), MPFR_RNDN);
      if (std::abs(bits) > static_cast<double>(kMaxExponent)) return false;
    }
    mpfr_pow(out->real(), base.real(), exponent.real(), MPFR_RNDN);
    return true;
  }

  bool Power(const Node* node, Complex* out) {
    Complex base = Make(), exponent = Make();
    if (!Run(node->args[0], &base) || !Run(node->args[1], &exponent)) return false;
    const bool real = IsReal(base) && IsReal(exponent) &&
                      (mpfr_sgn(base.real()) >= 0 || mpfr_integer_p(exponent.real()));
    if (real) return RaiseReal(base, exponent, out);
    if (!mode_.complex || IsZero(base) || !Moderate(exponent, 10) || !Moderate(base, 1000))
      return false;
    mpc_pow(out->get(), base.get(), exponent.get(), MPC_RNDNN);
    return true;
  }

  bool Root(const Node* node, Complex* out) {
    Complex degree = Make(), value = Make();
    if (!Run(node->args[0], &degree) || !Run(node->args[1], &value)) return false;
    if (!IsReal(degree) || mpfr_zero_p(degree.real())) return false;
    if (mpfr_cmp_ui(degree.real(), 2) == 0) {
      if (!mode_.complex && mpfr_sgn(value.real()) < 0) return false;
      mpc_sqrt(out->get(), value.get(), MPC_RNDNN);
      return true;
    }
    const bool whole = mpfr_integer_p(degree.real()) && mpfr_cmp_ui(degree.real(), 1) >= 0 &&
                       mpfr_cmp_ui(degree.real(), 1000) <= 0;
    if (IsReal(value) && whole) {
      const unsigned long n = mpfr_get_ui(degree.real(), MPFR_RNDN);
      if (mpfr_sgn(value.real()) >= 0 || n % 2 == 1) {
        mpfr_set_zero(out->imaginary(), 1);
        mpfr_rootn_ui(out->real(), value.real(), n, MPFR_RNDN);
        return true;
      }
    }
    Complex exponent = Make();
    mpc_ui_div(exponent.get(), 1, degree.get(), MPC_RNDNN);
    if (IsReal(value) && mpfr_sgn(value.real()) >= 0) return RaiseReal(value, exponent, out);
    if (!mode_.complex || IsZero(value) || !Moderate(value, 1000)) return false;
    mpc_pow(out->get(), value.get(), exponent.get(), MPC_RNDNN);
    return true;
  }

  bool Log(const Node* node, const Complex& arg, Complex* out) {
    if (IsZero(arg) || (!mode_.complex && mpfr_sgn(arg.real()) < 0)) return false;
    mpc_log(out->get(), arg.get(), MPC_RNDNN);
    if (node->name == "ln" || (node->args.size() < 2 && !mode_.common_log)) return true;
    Complex base = Make();
    if (node->args.size() < 2) {
      mpc_set_ui(base.get(), 10, MPC_RNDNN);
    } else if (!Run(node->args[1], &base)) {
      return false;
    }
    if (IsZero(base) || (!mode_.complex && mpfr_sgn(base.real()) < 0)) return false;
    mpc_log(base.get(), base.get(), MPC_RNDNN);
    if (IsZero(base)) return false;
    mpc_div(out->get(), out->get(), base.get(), MPC_RNDNN);
    return true;
  }

  bool Function(const Node* node, Complex* out) {
    const std::string& name = node->name;
    if (name == "floor" || name == "ceil" || name == "gcd" || name == "lcm" || name == "max" ||
        name == "min") {
      return Rounded(node, out);
    }
    Complex arg = Make();
    if (!Run(node->args[0], &arg) ||
        !Moderate(arg, name == "ln" || name == "log" ? kMaxExponent : kMaxFunctionExponent)) {
      return false;
    }
    if (name == "ln" || name == "log") return Log(node, arg, out);
    if (node->args.size() != 1) return false;
    using Elementary = int (*)(mpc_ptr, mpc_srcptr, mpc_rnd_t);
    static const std::pair<std::string_view, Elementary> table[] = {
        {"sin", mpc_sin},     {"cos", mpc_cos},   {"tan", mpc_tan},     {"sec", mpc_cos},
        {"csc", mpc_sin},     {"cot", mpc_tan},   {"arcsin", mpc_asin}, {"arccos", mpc_acos},
        {"arctan", mpc_atan}, {"sinh", mpc_sinh}, {"cosh", mpc_cosh},   {"tanh", mpc_tanh},
        {"exp", mpc_exp}};
    const auto* found = std::find_if(std::begin(table), std::end(table),
                                     [&](const auto& row) { return row.first == name; });
    if (found == std::end(table)) return false;
    const bool bounded = name == "sin" || name == "cos" || name == "tan" || name == "sec" ||
                         name == "csc" || name == "cot" || name.starts_with("arc");
    // Complex functions grow with the imaginary part, and exp with the real one.
    if (!bounded && !Moderate(arg, 32)) return false;
    if (!IsReal(arg) && !Moderate(arg, 16)) return false;
    found->second(out->get(), arg.get(), MPC_RNDNN);
    if (name == "sec" || name == "csc" || name == "cot") {
      if (IsZero(*out)) return false;
      mpc_ui_div(out->get(), 1, out->get(), MPC_RNDNN);
    }
    // A real function of a real number: a zero imaginary part may have come with a sign only.
    return true;
  }

  bool Rounded(const Node* node, Complex* out) {
    if (!Run(node->args[0], out) || !IsReal(*out) || !Moderate(*out, 128)) return false;
    if (node->name == "floor") {
      mpfr_floor(out->real(), out->real());
    } else if (node->name == "ceil") {
      mpfr_ceil(out->real(), out->real());
    } else if (node->name == "max" || node->name == "min") {
      Complex next = Make();
      for (size_t i = 1; i < node->args.size(); ++i) {
        if (!Run(node->args[i], &next) || !IsReal(next)) return false;
        (node->name == "max" ? mpfr_max : mpfr_min)(out->real(), out->real(), next.real(),
                                                    MPFR_RNDN);
      }
    } else {
      return false;
    }
    return true;
  }

  const EvaluationMode& mode_;
  Budget* budget_;
  mpfr_exp_t* scale_;
};

void Gather(const Node* node, Features* features) {
  switch (node->op) {
    case Op::kVariable:
    case Op::kCall:
      features->variables = true;
      break;
    case Op::kImaginary:
      features->imaginary = true;
      break;
    case Op::kNumber:
      features->decimals |= node->decimals > 0;
      break;
    case Op::kFunction:
      features->bare_log |= node->name == "log" && node->args.size() < 2;
      break;
    case Op::kPlusMinus:
      features->plus_minus = true;
      features->scalar = false;
      break;
    case Op::kInfinity:
    case Op::kBase:
    case Op::kText:
    case Op::kList:
    case Op::kSet:
    case Op::kBracket:
    case Op::kUnion:
    case Op::kIntersect:
    case Op::kWithout:
    case Op::kMatrix:
    case Op::kRelation:
    case Op::kReals:
    case Op::kEmpty:
      features->scalar = false;
      break;
    default:
      break;
  }
  for (const Node* arg : node->args) Gather(arg, features);
}

}  // namespace

Kind EvaluateNumeric(const Node* node, const EvaluationMode& mode, Budget* budget, Complex* value,
                     mpfr_exp_t* scale) {
  const bool defined = Numeric(mode, budget, scale).Run(node, value);
  return defined && !budget->spent ? Kind::kNumeric : Kind::kUndefined;
}

Features FeaturesOf(const Node* node) {
  Features features;
  Gather(node, &features);
  return features;
}

}  // namespace hone::math
