// sin, cos, exp2, log2 and pow in double from + - * / and sqrt alone, so that tables and schedules
// come out in the same bits on every machine and C library. Accurate to a few ulp; for set-up, not
// hot loops.
#pragma once

namespace hone {

double Exp2(double x);                                // |x| < 1000
double Log2(double x);                                // x > 0, normal
double Pow(double x, double y);                       // x > 0
void SinCos(double x, double* sine, double* cosine);  // |x| < 1e7
double Cos(double x);

}  // namespace hone
