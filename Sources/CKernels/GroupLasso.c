#include "CKernels.h"
#include "CubeRoot.h"

#include <math.h>

// The group lasso in a diagonal metric: per group the minimiser of ½⟨v, Dv⟩ − ⟨z, v⟩ + τ‖v‖, by Newton's method on its
// norm, in one pass over memory together with the optimizer's own arithmetic.
//
// Groups are the middle dimension of before × groups × within. A tile holds the z and D of some groups as rows that are
// contiguous in memory; every sum has one accumulator for each column of a row, so that each loop runs along memory.

typedef struct {
    size_t rows;    // rows of the tile, all but the last of `columns` elements
    size_t columns; // elements of a row
    size_t last;    // elements of the last row
    size_t stride;  // distance of rows in memory
    size_t start;   // first element
    size_t groups;  // groups of the tile
    size_t width;   // neighbouring columns of one group
} tile_t;

// Rows of at most so many elements where a group lies in one piece.
enum { PIECE = 256 };

static inline __attribute__((always_inline)) size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static tile_t tile_of(size_t before, size_t groups, size_t within, size_t first, size_t count) {
    tile_t tile;
    if (before == 1) {
        tile.columns = smaller(within, PIECE);
        tile.rows = (within + tile.columns - 1) / tile.columns;
        tile.last = within - (tile.rows - 1) * tile.columns;
        tile.stride = tile.columns;
        tile.start = first * within;
        tile.groups = 1;
        tile.width = tile.columns;
    } else {
        tile.columns = count * within;
        tile.rows = before;
        tile.last = tile.columns;
        tile.stride = groups * within;
        tile.start = first * within;
        tile.groups = count;
        tile.width = within;
    }
    return tile;
}

size_t ck_group_tile(size_t before, size_t groups, size_t within, size_t bytes) {
    if (before == 1) return 1;
    // What stays in the second cache, in rows of two cache lines at least.
    size_t fitting = 512 * 1024 / (2 * bytes * before * within);
    size_t least = (128 / bytes + within - 1) / within;
    size_t count = fitting < least ? least : fitting;
    return count > groups ? groups : count;
}

size_t ck_group_scratch(size_t before, size_t groups, size_t within, size_t bytes) {
    tile_t tile = tile_of(before, groups, within, 0, ck_group_tile(before, groups, within, bytes));
    return 2 * tile.rows * tile.columns + 3 * tile.columns;
}

enum step_kind { PROX, MEAN, RAMDA, ADAM };

// Rows of a tile lie far apart, where the machine does not see ahead by itself.
enum { AHEAD = 6 };

static inline __attribute__((always_inline)) void fetch(const void *start, size_t bytes, int isWritten) {
    for (size_t i = 0; i < bytes + 63; i += 64) {
        if (isWritten)
            __builtin_prefetch((const char *)start + i, 1);
        else
            __builtin_prefetch((const char *)start + i, 0);
    }
}

#define GROUPS(REAL, SUFFIX, TOLERANCE, TINY)                                                                        \
    typedef struct {                                                                                                 \
        REAL *p, *a, *b;                                                                                             \
        const REAL *g, *c;                                                                                           \
    } arrays_##SUFFIX;                                                                                               \
                                                                                                                     \
    /* A row of z and D, and its part in Σz²q² and Σz²Dq³, q = 1/(D r + τ); for r = 0 in Σz² and Σz²D. */            \
    static inline __attribute__((always_inline)) void load_##SUFFIX(                                                 \
        int kind, arrays_##SUFFIX x, size_t i, size_t n, const REAL *k, REAL tau, const REAL *restrict r,            \
        REAL *restrict z, REAL *restrict d, REAL *restrict s2, REAL *restrict s3) {                                  \
        REAL *restrict p = x.p + i, *restrict a = x.a + i, *restrict b = x.b + i;                                    \
        const REAL *restrict g = x.g + i, *restrict c = x.c + i;                                                     \
        for (size_t j = 0; j < n; ++j) {                                                                             \
            REAL linear, metric;                                                                                     \
            if (kind == PROX) {                                                                                      \
                linear = g[j];                                                                                       \
                metric = c[j];                                                                                       \
            } else if (kind == MEAN) {                                                                               \
                REAL mean = k[0] * a[j] + k[1] * g[j];                                                               \
                a[j] = mean;                                                                                         \
                metric = k[2];                                                                                       \
                linear = metric * c[j] - k[3] * mean;                                                                \
            } else if (kind == RAMDA) {                                                                              \
                REAL sum = a[j] + k[0] * g[j];                                                                       \
                REAL square = b[j] + k[0] * g[j] * g[j];                                                             \
                a[j] = sum;                                                                                          \
                b[j] = square;                                                                                       \
                metric = cube_root_##SUFFIX(square) + k[1];                                                          \
                linear = metric * c[j] - sum;                                                                        \
            } else {                                                                                                 \
                REAL moment = k[0] * a[j] + k[1] * g[j];                                                             \
                REAL square = k[2] * b[j] + k[3] * g[j] * g[j];                                                      \
                a[j] = moment;                                                                                       \
                b[j] = square;                                                                                       \
                metric = __builtin_elementwise_sqrt(square) * k[4] + k[5];                                           \
                linear = metric * (k[6] * p[j]) - k[7] * moment;                                                     \
            }                                                                                                        \
            z[j] = linear;                                                                                           \
            d[j] = metric;                                                                                           \
            REAL q = r[j] > 0 ? 1 / (metric * r[j] + tau) : 1;                                                       \
            REAL zq = linear * q;                                                                                    \
            REAL ratio = zq * zq;                                                                                    \
            s2[j] += ratio;                                                                                          \
            s3[j] += ratio * q * metric;                                                                             \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    static inline __attribute__((always_inline)) void sums_##SUFFIX(                                                 \
        size_t n, REAL tau, const REAL *restrict z, const REAL *restrict d, const REAL *restrict r,                  \
        REAL *restrict s2, REAL *restrict s3) {                                                                      \
        for (size_t j = 0; j < n; ++j) {                                                                             \
            REAL q = r[j] > 0 ? 1 / (d[j] * r[j] + tau) : 1;                                                         \
            REAL zq = z[j] * q;                                                                                      \
            REAL ratio = zq * zq;                                                                                    \
            s2[j] += ratio;                                                                                          \
            s3[j] += ratio * q * d[j];                                                                               \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    static inline __attribute__((always_inline)) void store_##SUFFIX(                                                \
        size_t n, REAL tau, REAL share, const REAL *restrict z, const REAL *restrict d, const REAL *restrict r,      \
        REAL *restrict p) {                                                                                          \
        if (share == 1) {                                                                                            \
            for (size_t j = 0; j < n; ++j) p[j] = z[j] * r[j] / (d[j] * r[j] + tau);                                 \
        } else {                                                                                                     \
            REAL kept = 1 - share;                                                                                   \
            for (size_t j = 0; j < n; ++j)                                                                           \
                p[j] = kept * p[j] + share * (z[j] * r[j] / (d[j] * r[j] + tau));                                    \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    static inline __attribute__((always_inline)) REAL total_##SUFFIX(const REAL *values, size_t n) {                 \
        REAL total = 0;                                                                                              \
        for (size_t j = 0; j < n; ++j) total += values[j];                                                           \
        return total;                                                                                                \
    }                                                                                                                \
                                                                                                                     \
    /* One Newton step of each group that still moves; whether any does. */                                          \
    static inline __attribute__((always_inline)) int step_##SUFFIX(                                                  \
        tile_t t, REAL tau, REAL *r, const REAL *s2, const REAL *s3, REAL *norm) {                                   \
        int moving = 0;                                                                                              \
        for (size_t group = 0; group < t.groups; ++group) {                                                          \
            if (norm[group] < 0) continue;                                                                           \
            REAL two = total_##SUFFIX(s2 + group * t.width, t.width);                                                \
            REAL three = total_##SUFFIX(s3 + group * t.width, t.width);                                              \
            REAL root = __builtin_elementwise_sqrt(two), change;                                                     \
            if (norm[group] > 0) {                                                                                   \
                change = two * (root - 1) / three;                                                                   \
            } else if (root > tau) {                                                                                 \
                /* From 0 the step is a closed form of Σz² and Σz²D, which small thresholds do not overflow. */      \
                change = (root - tau) * two / (three > TINY ? three : TINY);                                         \
            } else {                                                                                                 \
                /* A group is zero exactly where ‖z‖ ≤ τ; −1 keeps it out of further steps. */                       \
                norm[group] = -1;                                                                                    \
                continue;                                                                                            \
            }                                                                                                        \
            REAL next = norm[group] + change;                                                                        \
            /* From far right of the root a step may leave the positive numbers: then from 0 again. */               \
            if (!(next > 0)) next = 0;                                                                               \
            /* Relative errors are squared by a step, and times 3/2 at most. */                                      \
            if (!(__builtin_elementwise_abs(change) <= TOLERANCE * next)) moving = 1;                                \
            norm[group] = next;                                                                                      \
            for (size_t j = 0; j < t.width; ++j) r[group * t.width + j] = next;                                      \
        }                                                                                                            \
        return moving;                                                                                               \
    }                                                                                                                \
                                                                                                                     \
    static inline __attribute__((always_inline)) void tile_##SUFFIX(                                                 \
        int kind, arrays_##SUFFIX x, tile_t t, REAL tau, REAL share, const REAL *k, REAL *norm, REAL *scratch) {     \
        size_t lanes = t.columns;                                                                                    \
        REAL *z = scratch, *d = z + t.rows * lanes, *r = d + t.rows * lanes, *s2 = r + lanes, *s3 = s2 + lanes;      \
        for (size_t j = 0; j < lanes; ++j) {                                                                         \
            r[j] = tau > 0 ? norm[j / t.width] : 1;                                                                  \
            s2[j] = s3[j] = 0;                                                                                       \
        }                                                                                                            \
        for (size_t row = 0; row < t.rows; ++row) {                                                                  \
            size_t n = row + 1 < t.rows ? lanes : t.last, ahead = t.start + (row + AHEAD) * t.stride;                \
            if (row + AHEAD < t.rows && t.stride != lanes) {                                                         \
                fetch(x.g + ahead, n * sizeof(REAL), 0);                                                             \
                fetch(x.c + ahead, n * sizeof(REAL), 0);                                                             \
                if (kind != PROX) {                                                                                  \
                    fetch(x.a + ahead, n * sizeof(REAL), 1);                                                         \
                    if (kind != MEAN) fetch(x.b + ahead, n * sizeof(REAL), 1);                                       \
                }                                                                                                    \
            }                                                                                                        \
            load_##SUFFIX(kind, x, t.start + row * t.stride, n, k, tau, r, z + row * lanes, d + row * lanes, s2, s3);\
        }                                                                                                            \
        for (int step = 0; step < 60 && tau > 0 && step_##SUFFIX(t, tau, r, s2, s3, norm); ++step) {                      \
            for (size_t j = 0; j < lanes; ++j) s2[j] = s3[j] = 0;                                                    \
            for (size_t row = 0; row < t.rows; ++row) {                                                              \
                size_t n = row + 1 < t.rows ? lanes : t.last;                                                        \
                sums_##SUFFIX(n, tau, z + row * lanes, d + row * lanes, r, s2, s3);                                  \
            }                                                                                                        \
        }                                                                                                            \
        for (size_t row = 0; row < t.rows; ++row) {                                                                  \
            size_t n = row + 1 < t.rows ? lanes : t.last;                                                            \
            REAL *p = x.p + t.start + row * t.stride;                                                                \
            if (row + AHEAD < t.rows && t.stride != lanes) fetch(p + AHEAD * t.stride, n * sizeof(REAL), 1);         \
            store_##SUFFIX(n, tau, share, z + row * lanes, d + row * lanes, r, p);                                   \
        }                                                                                                            \
        for (size_t group = 0; group < t.groups; ++group)                                                            \
            if (norm[group] < 0) norm[group] = 0;                                                                    \
    }                                                                                                                \
                                                                                                                     \
    static inline __attribute__((always_inline)) void groups_##SUFFIX(                                               \
        int kind, arrays_##SUFFIX x, ck_groups shape, REAL tau, REAL share, const REAL *k, REAL *norms,              \
        REAL *scratch) {                                                                                             \
        size_t many = ck_group_tile(shape.before, shape.groups, shape.within, sizeof(REAL));                         \
        for (size_t first = shape.first; first < shape.last; first += many) {                                        \
            tile_t t = tile_of(shape.before, shape.groups, shape.within, first, smaller(many, shape.last - first));  \
            tile_##SUFFIX(kind, x, t, tau, share, k, norms + first, scratch);                                        \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    CK_VECTORISED void ck_group_prox_##SUFFIX(REAL *v, const REAL *z, const REAL *d, ck_groups shape, REAL tau,      \
                                              REAL *norms, REAL *scratch) {                                          \
        arrays_##SUFFIX x = {v, v, v, z, d};                                                                         \
        groups_##SUFFIX(PROX, x, shape, tau, 1, 0, norms, scratch);                                                  \
    }                                                                                                                \
                                                                                                                     \
    CK_VECTORISED void ck_group_mean_##SUFFIX(REAL *p, const REAL *g, REAL *m, const REAL *start, ck_groups shape,   \
                                              REAL tau, REAL share, const REAL *k, REAL *norms, REAL *scratch) {     \
        arrays_##SUFFIX x = {p, m, m, g, start};                                                                     \
        groups_##SUFFIX(MEAN, x, shape, tau, share, k, norms, scratch);                                              \
    }                                                                                                                \
                                                                                                                     \
    CK_VECTORISED void ck_group_ramda_##SUFFIX(REAL *p, const REAL *g, REAL *v, REAL *u, const REAL *start,          \
                                               ck_groups shape, REAL tau, REAL share, const REAL *k, REAL *norms,    \
                                               REAL *scratch) {                                                      \
        arrays_##SUFFIX x = {p, v, u, g, start};                                                                     \
        groups_##SUFFIX(RAMDA, x, shape, tau, share, k, norms, scratch);                                             \
    }                                                                                                                \
                                                                                                                     \
    CK_VECTORISED void ck_group_adam_##SUFFIX(REAL *p, const REAL *g, REAL *m, REAL *v, ck_groups shape, REAL tau,   \
                                              const REAL *k, REAL *norms, REAL *scratch) {                           \
        arrays_##SUFFIX x = {p, m, v, g, p};                                                                         \
        groups_##SUFFIX(ADAM, x, shape, tau, 1, k, norms, scratch);                                                  \
    }

GROUPS(float, f32, 3e-4f, 1e-37f)
GROUPS(double, f64, 1e-8, 1e-300)
