#include "CKernels.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

// A multiplication and an addition round apart everywhere, so that every vector unit gives the same numbers.
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__) && defined(__linux__)
#define VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTORISED
#endif

// A third of the exponent from the bits, then Newton's method for 1/∛x: it vectorises, as cbrtf does not.
static inline __attribute__((always_inline)) float cube_root_f32(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    // Shifts that sum to a third, since vectors have no division of integers.
    uint32_t quarters = (bits >> 2) + (bits >> 4);
    uint32_t nearly = quarters + (quarters >> 4);
    bits = 0x54A21D2Au - (nearly + (nearly >> 8));
    float y;
    memcpy(&y, &bits, sizeof y);
    for (int k = 0; k < 3; ++k) y *= (4 - x * y * y * y) * (1.0f / 3);
    return x * y * y;
}

static inline __attribute__((always_inline)) double cube_root_f64(double x) { return cbrt(x); }

#define STEPS(REAL, SUFFIX)                                                                                          \
    VECTORISED void ck_lion_##SUFFIX(REAL *restrict p, const REAL *restrict g, REAL *restrict m, size_t count,       \
                                     REAL rate, REAL beta1, REAL fresh1, REAL beta2, REAL fresh2, REAL shrink) {     \
        for (size_t i = 0; i < count; ++i) {                                                                         \
            REAL c = beta1 * m[i] + fresh1 * g[i];                                                                   \
            REAL sign = (REAL)(c > 0) - (REAL)(c < 0);                                                               \
            p[i] = shrink * p[i] - rate * sign;                                                                      \
            m[i] = beta2 * m[i] + fresh2 * g[i];                                                                     \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    VECTORISED void ck_yogi_##SUFFIX(REAL *restrict p, const REAL *restrict g, REAL *restrict m, REAL *restrict v,   \
                                     size_t count, REAL rate, REAL beta1, REAL fresh1, REAL fresh2, REAL scale,      \
                                     REAL eps, REAL shrink) {                                                        \
        for (size_t i = 0; i < count; ++i) {                                                                         \
            REAL square = g[i] * g[i];                                                                               \
            REAL first = beta1 * m[i] + fresh1 * g[i];                                                               \
            REAL sign = (REAL)(v[i] > square) - (REAL)(v[i] < square);                                               \
            REAL second = v[i] - fresh2 * sign * square;                                                             \
            m[i] = first;                                                                                            \
            v[i] = second;                                                                                           \
            p[i] = shrink * p[i] - rate * first / (__builtin_elementwise_sqrt(second) * scale + eps);                \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    VECTORISED void ck_madgrad_##SUFFIX(REAL *restrict p, const REAL *restrict g, REAL *restrict s, REAL *restrict v,\
                                        const REAL *restrict x0, size_t count, REAL lambda, REAL momentum,           \
                                        REAL fresh, REAL eps, REAL decay) {                                          \
        for (size_t i = 0; i < count; ++i) {                                                                         \
            REAL gradient = g[i] + decay * p[i];                                                                     \
            REAL sum = s[i] + lambda * gradient;                                                                     \
            REAL square = v[i] + lambda * gradient * gradient;                                                       \
            s[i] = sum;                                                                                              \
            v[i] = square;                                                                                           \
            p[i] = momentum * p[i] + fresh * (x0[i] - sum / (cube_root_##SUFFIX(square) + eps));                     \
        }                                                                                                            \
    }

STEPS(float, f32)
STEPS(double, f64)
