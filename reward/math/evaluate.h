// The value of an expression: an exact rational where it is one, else a number of some hundred
// bits. Variables stand for fixed points that depend on their name and the trial alone. MPFR and
// MPC round correctly, so that a value has the same bits on every machine.
#pragma once

#include <mpc.h>

#include "reward/math/expression.h"

namespace hone::math {

enum class Kind : uint8_t {
  kExact,      // a rational
  kNumeric,    // within an error
  kUndefined,  // division by zero, outside the domain, or beyond what is computed
};

// RAII over mpc_t.
class Complex {
 public:
  explicit Complex(mpfr_prec_t bits = 192) { mpc_init2(value_, bits); }
  Complex(const Complex& other) : Complex(other.bits()) {
    mpc_set(value_, other.value_, MPC_RNDNN);
  }
  Complex& operator=(const Complex& other) {
    mpc_set(value_, other.value_, MPC_RNDNN);
    return *this;
  }
  ~Complex() { mpc_clear(value_); }
  mpc_ptr get() { return value_; }
  mpc_srcptr get() const { return value_; }
  mpfr_ptr real() { return mpc_realref(value_); }
  mpfr_srcptr real() const { return mpc_realref(value_); }
  mpfr_ptr imaginary() { return mpc_imagref(value_); }
  mpfr_srcptr imaginary() const { return mpc_imagref(value_); }
  mpfr_prec_t bits() const { return mpfr_get_prec(mpc_realref(value_)); }
  bool finite() const { return mpfr_number_p(real()) && mpfr_number_p(imaginary()); }

 private:
  mpc_t value_;
};

struct EvaluationMode {
  int trial = 0;            // which points; 0: all positive
  bool complex = false;     // false: a value that is not real is undefined
  bool common_log = false;  // "log" without a base is of base 10 rather than e
  mpfr_prec_t bits = 192;
};

// kExact or kUndefined; kNumeric: no rational, or one of more than kMaxBits.
Kind EvaluateExact(const Node* node, const EvaluationMode& mode, Budget* budget, mpq_class* value);

// kNumeric or kUndefined. `scale` grows to the binary exponent of the largest intermediate value.
Kind EvaluateNumeric(const Node* node, const EvaluationMode& mode, Budget* budget, Complex* value,
                     mpfr_exp_t* scale);

// What an expression holds, for how it is to be evaluated.
struct Features {
  bool variables = false, imaginary = false, bare_log = false, decimals = false, plus_minus = false;
  bool scalar = true;  // no list, set, matrix, relation, text or infinity in it
};
Features FeaturesOf(const Node* node);

}  // namespace hone::math
