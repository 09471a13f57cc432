#include <string_view>

#include "reward/math/evaluate.h"
#include "reward/math/points.h"

namespace hone::math {
namespace {

size_t Bits(const mpz_class& value) { return mpz_sizeinbase(value.get_mpz_t(), 2); }
size_t Bits(const mpq_class& value) { return Bits(value.get_num()) + Bits(value.get_den()); }

// One evaluation: the first operand that is no rational ends it.
class Exact {
 public:
  Exact(const EvaluationMode& mode, Budget* budget) : mode_(mode), budget_(budget) {}

  Kind Run(const Node* node, mpq_class* out) {
    if (!budget_->Take()) return Kind::kUndefined;
    const Kind kind = Apply(node, out);
    if (kind != Kind::kExact) return kind;
    const size_t bits = Bits(*out);
    budget_->Take(static_cast<int64_t>(bits / 2048));
    return bits > kMaxBits ? Kind::kNumeric : Kind::kExact;
  }

 private:
  Kind Apply(const Node* node, mpq_class* out) {
    switch (node->op) {
      case Op::kNumber:
        *out = node->number;
        return Kind::kExact;
      case Op::kVariable:
        *out = PointOf(node->name, mode_.trial);
        return Kind::kExact;
      case Op::kCall:
        return Call(node, out);
      case Op::kAdd:
      case Op::kMultiply:
        return Fold(node, out);
      case Op::kNegate:
      case Op::kAbsolute:
      case Op::kPercent:
        return Unary(node, out);
      case Op::kDivide:
        return Divide(node, out);
      case Op::kPower:
        return Power(node, out);
      case Op::kRoot:
        return Root(node, out);
      case Op::kFactorial:
        return Factorial(node, out);
      case Op::kBinomial:
        return Binomial(node, out);
      case Op::kFunction:
        return Function(node, out);
      case Op::kRatio: {
        if (node->args.size() != 2) return Kind::kUndefined;
        return Divide(node, out);
      }
      default:
        return Kind::kNumeric;
    }
  }

  Kind Fold(const Node* node, mpq_class* out) {
    if (const Kind kind = Run(node->args[0], out); kind != Kind::kExact) return kind;
    mpq_class next;
    for (size_t i = 1; i < node->args.size(); ++i) {
      if (const Kind kind = Run(node->args[i], &next); kind != Kind::kExact) return kind;
      if (Bits(*out) + Bits(next) > 2 * kMaxBits) return Kind::kNumeric;
      if (node->op == Op::kAdd) {
        *out += next;
      } else {
        *out *= next;
      }
    }
    return Kind::kExact;
  }

  Kind Unary(const Node* node, mpq_class* out) {
    if (const Kind kind = Run(node->args[0], out); kind != Kind::kExact) return kind;
    if (node->op == Op::kNegate) *out = -*out;
    if (node->op == Op::kAbsolute) *out = abs(*out);
    if (node->op == Op::kPercent) *out /= 100;
    return Kind::kExact;
  }

  Kind Divide(const Node* node, mpq_class* out) {
    if (const Kind kind = Run(node->args[0], out); kind != Kind::kExact) return kind;
    mpq_class under;
    if (const Kind kind = Run(node->args[1], &under); kind != Kind::kExact) return kind;
    if (sgn(under) == 0) return Kind::kUndefined;
    *out /= under;
    return Kind::kExact;
  }

  Kind Power(const Node* node, mpq_class* out) {
    mpq_class base, exponent;
    if (const Kind kind = Run(node->args[0], &base); kind != Kind::kExact) return kind;
    if (const Kind kind = Run(node->args[1], &exponent); kind != Kind::kExact) return kind;
    const mpz_class& power = exponent.get_num();
    if (sgn(base) == 0 && sgn(exponent) <= 0) {
      if (sgn(exponent) < 0) return Kind::kUndefined;
      *out = 1;
      return Kind::kExact;
    }
    if (exponent.get_den() != 1) {
      // A half is the only root that is worth trying here: 4^{1/2}.
      if (!exponent.get_den().fits_ulong_p() || exponent.get_den() > 64 || sgn(base) < 0)
        return Kind::kNumeric;
      mpq_class root;
      if (!RootOf(base, exponent.get_den().get_ui(), &root)) return Kind::kNumeric;
      base = root;
    }
    if (!power.fits_slong_p()) return Kind::kNumeric;
    const long n = power.get_si();
    const auto magnitude = static_cast<unsigned long>(n < 0 ? -n : n);
    if (base == 1) {
      *out = 1;
      return Kind::kExact;
    }
    if (magnitude > kMaxBits || Bits(base) * magnitude > kMaxBits) return Kind::kNumeric;
    budget_->Take(static_cast<int64_t>(Bits(base) * magnitude / 2048));
    mpz_class over, under;
    mpz_pow_ui(over.get_mpz_t(), base.get_num_mpz_t(), magnitude);
    mpz_pow_ui(under.get_mpz_t(), base.get_den_mpz_t(), magnitude);
    *out = n < 0 ? mpq_class(under, over) : mpq_class(over, under);
    out->canonicalize();
    return Kind::kExact;
  }

  static bool RootOf(const mpq_class& value, unsigned long degree, mpq_class* root) {
    mpz_class over, under;
    if (!mpz_root(over.get_mpz_t(), value.get_num_mpz_t(), degree)) return false;
    if (!mpz_root(under.get_mpz_t(), value.get_den_mpz_t(), degree)) return false;
    *root = mpq_class(over, under);
    return true;
  }

  Kind Root(const Node* node, mpq_class* out) {
    mpq_class degree, value;
    if (const Kind kind = Run(node->args[0], &degree); kind != Kind::kExact) return kind;
    if (const Kind kind = Run(node->args[1], &value); kind != Kind::kExact) return kind;
    if (degree.get_den() != 1 || degree < 1 || degree > 64) return Kind::kNumeric;
    const unsigned long n = degree.get_num().get_ui();
    if (sgn(value) < 0 && n % 2 == 0) return Kind::kNumeric;
    return RootOf(value, n, out) ? Kind::kExact : Kind::kNumeric;
  }

  Kind Natural(const Node* node, unsigned long limit, unsigned long* out) {
    mpq_class value;
    if (const Kind kind = Run(node, &value); kind != Kind::kExact) return kind;
    if (value.get_den() != 1 || sgn(value) < 0) return Kind::kUndefined;
    if (value > limit) return Kind::kNumeric;
    *out = value.get_num().get_ui();
    return Kind::kExact;
  }

  Kind Factorial(const Node* node, mpq_class* out) {
    unsigned long n = 0;
    if (const Kind kind = Natural(node->args[0], 5000, &n); kind != Kind::kExact) return kind;
    budget_->Take(static_cast<int64_t>(n / 64));
    mpz_class value;
    mpz_fac_ui(value.get_mpz_t(), n);
    *out = value;
    return Kind::kExact;
  }

  // n (n-1) … (n-k+1) / k!, for any n when k is small: \binom{n+1}{2} of a variable.
  Kind Binomial(const Node* node, mpq_class* out) {
    mpq_class n;
    unsigned long k = 0;
    if (const Kind kind = Run(node->args[0], &n); kind != Kind::kExact) return kind;
    if (const Kind kind = Natural(node->args[1], 5000, &k); kind != Kind::kExact) return kind;
    if (n.get_den() == 1 && sgn(n) >= 0) {
      if (n > 5000) return Kind::kNumeric;
      budget_->Take(static_cast<int64_t>(n.get_num().get_ui() / 64));
      mpz_class value;
      mpz_bin_uiui(value.get_mpz_t(), n.get_num().get_ui(), k);
      *out = value;
      return Kind::kExact;
    }
    if (k > 32 || Bits(n) > 128) return Kind::kUndefined;
    *out = 1;
    for (unsigned long i = 0; i < k; ++i) *out *= mpq_class(n - i) / (i + 1);
    return Kind::kExact;
  }

  Kind Function(const Node* node, mpq_class* out) {
    const std::string& name = node->name;
    const bool many = name == "gcd" || name == "lcm" || name == "max" || name == "min";
    if (!many && name != "floor" && name != "ceil") return Kind::kNumeric;
    if (const Kind kind = Run(node->args[0], out); kind != Kind::kExact) return kind;
    if (name == "floor" || name == "ceil") {
      mpz_class whole;
      (name == "floor" ? mpz_fdiv_q : mpz_cdiv_q)(whole.get_mpz_t(), out->get_num_mpz_t(),
                                                  out->get_den_mpz_t());
      *out = whole;
      return Kind::kExact;
    }
    mpq_class next;
    for (size_t i = 1; i < node->args.size(); ++i) {
      if (const Kind kind = Run(node->args[i], &next); kind != Kind::kExact) return kind;
      if (name == "max" || name == "min") {
        if ((next > *out) == (name == "max")) *out = next;
      } else {
        if (next.get_den() != 1 || out->get_den() != 1) return Kind::kUndefined;
        const mpz_class one = out->get_num(), other = next.get_num();
        *out = name == "gcd" ? mpz_class(gcd(one, other)) : mpz_class(lcm(one, other));
      }
    }
    return Kind::kExact;
  }

  // A function that nobody defined: a point of its own for each argument.
  Kind Call(const Node* node, mpq_class* out) {
    std::string name = node->name;
    mpq_class value;
    for (const Node* arg : node->args) {
      if (const Kind kind = Run(arg, &value); kind != Kind::kExact) return Kind::kUndefined;
      if (Bits(value) > 1000) return Kind::kUndefined;
      name += "(" + value.get_str();
    }
    *out = PointOf(name, mode_.trial);
    return Kind::kExact;
  }

  const EvaluationMode& mode_;
  Budget* budget_;
};

}  // namespace

mpq_class PointOf(std::string_view name, int trial) {
  uint64_t hash = 0xcbf29ce484222325 + static_cast<uint64_t>(trial) * 0x9e3779b97f4a7c15;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash ^= hash >> 29;
  hash *= 0xbf58476d1ce4e5b9;
  hash ^= hash >> 32;
  // From 0.2 to 3: powers stay small, and no two names share a simple ratio.
  mpq_class point(static_cast<unsigned long>(203 + hash % 2801), 1009UL);
  point.canonicalize();
  return trial > 0 && (hash >> 40) % 2 ? mpq_class(-point) : point;
}

Kind EvaluateExact(const Node* node, const EvaluationMode& mode, Budget* budget, mpq_class* value) {
  const Kind kind = Exact(mode, budget).Run(node, value);
  return budget->spent ? Kind::kUndefined : kind;
}

}  // namespace hone::math
