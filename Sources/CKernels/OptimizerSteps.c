#include "CKernels.h"
#include "CubeRoot.h"

#define STEPS(REAL, SUFFIX)                                                                                          \
    CK_VECTORISED void ck_lion_##SUFFIX(REAL *restrict p, const REAL *restrict g, REAL *restrict m, size_t count,       \
                                     REAL rate, REAL beta1, REAL fresh1, REAL beta2, REAL fresh2, REAL shrink) {     \
        for (size_t i = 0; i < count; ++i) {                                                                         \
            REAL c = beta1 * m[i] + fresh1 * g[i];                                                                   \
            REAL sign = (REAL)(c > 0) - (REAL)(c < 0);                                                               \
            p[i] = shrink * p[i] - rate * sign;                                                                      \
            m[i] = beta2 * m[i] + fresh2 * g[i];                                                                     \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    CK_VECTORISED void ck_yogi_##SUFFIX(REAL *restrict p, const REAL *restrict g, REAL *restrict m, REAL *restrict v,   \
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
    CK_VECTORISED void ck_madgrad_##SUFFIX(REAL *restrict p, const REAL *restrict g, REAL *restrict s, REAL *restrict v,\
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
