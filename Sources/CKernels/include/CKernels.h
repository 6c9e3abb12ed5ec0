#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>

// Loops over memory that LibTorch has no single pass for. In C, since a C function can be compiled for several vector
// units at once, of which the loader takes the widest that the machine has.
//
// Every array has `count` elements; none overlap. `fresh` is one less the decay rate, rounded from its exact value.

#define CK_STEPS(REAL, SUFFIX)                                                                                       \
    /* Lion (Chen et al. 2023, Algorithm 2): p the parameter, g the gradient, m the momentum. */                     \
    void ck_lion_##SUFFIX(REAL *p, const REAL *g, REAL *m, size_t count, REAL rate, REAL beta1, REAL fresh1,         \
                          REAL beta2, REAL fresh2, REAL shrink);                                                     \
    /* Yogi (Zaheer et al. 2018, Algorithm 2): m and v the moments, `scale` one over the root of v's correction. */  \
    void ck_yogi_##SUFFIX(REAL *p, const REAL *g, REAL *m, REAL *v, size_t count, REAL rate, REAL beta1, REAL fresh1,\
                          REAL fresh2, REAL scale, REAL eps, REAL shrink);                                           \
    /* MADGRAD (Defazio and Jelassi 2022, Algorithm 1): s and v the sums, x0 the start. */                           \
    void ck_madgrad_##SUFFIX(REAL *p, const REAL *g, REAL *s, REAL *v, const REAL *x0, size_t count, REAL lambda,    \
                             REAL momentum, REAL fresh, REAL eps, REAL decay);

CK_STEPS(float, f32)
CK_STEPS(double, f64)

#undef CK_STEPS

#endif
