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

/// Groups `first` up to `last` of the middle dimension of before × groups × within.
typedef struct {
    size_t before, groups, within, first, last;
} ck_groups;

/// Groups that are worked on at once: threads start at its multiples.
size_t ck_group_tile(size_t before, size_t groups, size_t within, size_t bytes);
/// Elements of the scratch memory that each thread needs.
size_t ck_group_scratch(size_t before, size_t groups, size_t within, size_t bytes);

// Group lasso in a diagonal metric D, one group at a time: v minimises ½⟨v, Dv⟩ − ⟨z, v⟩ + tau‖v‖.
//
// `norms` has a number for each group: where Newton's method begins, 0 for nowhere in particular, and then ‖v‖. From the
// norms of the step before one evaluation is most often enough.
#define CK_GROUPS(REAL, SUFFIX)                                                                                      \
    /* The minimiser itself. */                                                                                      \
    void ck_group_prox_##SUFFIX(REAL *v, const REAL *z, const REAL *d, ck_groups shape, REAL tau, REAL *norms,       \
                                REAL *scratch);                                                                      \
    /* A step along a mean or sum m of gradients in the metric D = k[2]: m = k[0] m + k[1] g, z = D start − k[3] m. */ \
    void ck_group_mean_##SUFFIX(REAL *p, const REAL *g, REAL *m, const REAL *start, ck_groups shape, REAL tau,       \
                                REAL share, const REAL *k, REAL *norms, REAL *scratch);                              \
    /* A RAMDA step; k: s, ε. p moves to the minimiser by `share`. */                                                \
    void ck_group_ramda_##SUFFIX(REAL *p, const REAL *g, REAL *v, REAL *u, const REAL *start, ck_groups shape,       \
                                 REAL tau, REAL share, const REAL *k, REAL *norms, REAL *scratch);                   \
    /* A proximal Adam step; k: β₁, 1 − β₁, β₂, 1 − β₂, factor of √v, ε, factor of p, factor of m. */                \
    void ck_group_adam_##SUFFIX(REAL *p, const REAL *g, REAL *m, REAL *v, ck_groups shape, REAL tau, const REAL *k,  \
                                REAL *norms, REAL *scratch);

CK_GROUPS(float, f32)
CK_GROUPS(double, f64)

#undef CK_GROUPS

#endif
