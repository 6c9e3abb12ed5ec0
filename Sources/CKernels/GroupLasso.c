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
    size_t fitting = 320 * 1024 / (2 * bytes * before * within);
    size_t least = (128 / bytes + within - 1) / within;
    size_t count = fitting < least ? least : fitting;
    return count > groups ? groups : count;
}

size_t ck_group_scratch(size_t before, size_t groups, size_t within, size_t bytes) {
    tile_t tile = tile_of(before, groups, within, 0, ck_group_tile(before, groups, within, bytes));
    return 2 * tile.rows * tile.columns + 5 * tile.columns + 2 * tile.groups;
}

enum step_kind { PROX, RAMDA, ADAM };

#define GROUPS(REAL, SUFFIX, TINY, TOLERANCE)                                                                        \
    typedef struct {                                                                                                 \
        REAL *p, *a, *b;                                                                                             \
        const REAL *g, *c;                                                                                           \
    } arrays_##SUFFIX;                                                                                               \
                                                                                                                     \
    static inline __attribute__((always_inline)) void load_##SUFFIX(                                                 \
        int kind, arrays_##SUFFIX x, size_t i, size_t n, const REAL *k, REAL *restrict z, REAL *restrict d,          \
        REAL *restrict zz, REAL *restrict dzz) {                                                                     \
        REAL *restrict p = x.p + i, *restrict a = x.a + i, *restrict b = x.b + i;                                    \
        const REAL *restrict g = x.g + i, *restrict c = x.c + i;                                                     \
        for (size_t j = 0; j < n; ++j) {                                                                             \
            REAL linear, metric;                                                                                     \
            if (kind == PROX) {                                                                                      \
                linear = g[j];                                                                                       \
                metric = c[j];                                                                                       \
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
                metric = __builtin_elementwise_sqrt(square) * k[4] + k[5];                                                                 \
                linear = metric * (k[6] * p[j]) - k[7] * moment;                                                     \
            }                                                                                                        \
            z[j] = linear;                                                                                           \
            d[j] = metric;                                                                                           \
            zz[j] += linear * linear;                                                                                \
            dzz[j] += metric * linear * linear;                                                                      \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    static inline __attribute__((always_inline)) void sums_##SUFFIX(                                                 \
        size_t n, REAL tau, const REAL *restrict z, const REAL *restrict d, const REAL *restrict r,                  \
        REAL *restrict s2, REAL *restrict s3) {                                                                      \
        for (size_t j = 0; j < n; ++j) {                                                                             \
            REAL q = 1 / (d[j] * r[j] + tau);                                                                        \
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
    /* Newton's method for all groups of a tile; r holds each group's norm in all of its columns. */                 \
    static inline __attribute__((always_inline)) void norms_##SUFFIX(                                                \
        tile_t t, REAL tau, const REAL *z, const REAL *d, REAL *r, REAL *s2, REAL *s3, REAL *norm) {                 \
        size_t lanes = t.columns;                                                                                    \
        for (int step = 0; step < 40; ++step) {                                                                      \
            for (size_t j = 0; j < lanes; ++j) s2[j] = s3[j] = 0;                                                    \
            for (size_t row = 0; row < t.rows; ++row) {                                                              \
                size_t n = row + 1 < t.rows ? lanes : t.last;                                                        \
                sums_##SUFFIX(n, tau, z + row * lanes, d + row * lanes, r, s2, s3);                                  \
            }                                                                                                        \
            int moving = 0;                                                                                          \
            for (size_t group = 0; group < t.groups; ++group) {                                                      \
                if (!(norm[group] > 0)) continue;                                                                    \
                REAL two = total_##SUFFIX(s2 + group * t.width, t.width);                                            \
                REAL three = total_##SUFFIX(s3 + group * t.width, t.width);                                          \
                /* N is concave and the start is left of the root: steps only go right, up to rounding. */           \
                REAL change = two * (__builtin_elementwise_sqrt(two) - 1) / three;                                                         \
                if (!(change > TOLERANCE * norm[group])) continue;                                                   \
                norm[group] += change;                                                                               \
                moving = 1;                                                                                          \
                for (size_t j = 0; j < t.width; ++j) r[group * t.width + j] = norm[group];                           \
            }                                                                                                        \
            if (!moving) return;                                                                                     \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    static inline __attribute__((always_inline)) void groups_##SUFFIX(                                               \
        int kind, arrays_##SUFFIX x, ck_groups shape, REAL tau, REAL share, const REAL *k, REAL *scratch) {          \
        size_t many = ck_group_tile(shape.before, shape.groups, shape.within, sizeof(REAL));                         \
        for (size_t first = shape.first; first < shape.last; first += many) {                                        \
            tile_t t = tile_of(shape.before, shape.groups, shape.within, first, smaller(many, shape.last - first));  \
            size_t lanes = t.columns;                                                                                \
            REAL *z = scratch, *d = z + t.rows * lanes, *r = d + t.rows * lanes, *s2 = r + lanes, *s3 = s2 + lanes,  \
                 *norm = s3 + lanes;                                                                                 \
            for (size_t j = 0; j < lanes; ++j) s2[j] = s3[j] = 0;                                                    \
            for (size_t row = 0; row < t.rows; ++row) {                                                              \
                size_t n = row + 1 < t.rows ? lanes : t.last;                                                        \
                load_##SUFFIX(kind, x, t.start + row * t.stride, n, k, z + row * lanes, d + row * lanes, s2, s3);    \
            }                                                                                                        \
            for (size_t group = 0; group < t.groups; ++group) {                                                      \
                REAL square = total_##SUFFIX(s2 + group * t.width, t.width);                                         \
                REAL weighted = total_##SUFFIX(s3 + group * t.width, t.width);                                       \
                REAL excess = __builtin_elementwise_sqrt(square) - tau;                                                                    \
                /* The Newton step from r = 0 in closed form; without a threshold v = z / D. */                      \
                norm[group] = !(excess > 0) ? 0 : tau > 0 ? excess * square / (weighted > TINY ? weighted : TINY) : 1; \
                for (size_t j = 0; j < t.width; ++j) r[group * t.width + j] = norm[group];                           \
            }                                                                                                        \
            if (tau > 0) norms_##SUFFIX(t, tau, z, d, r, s2, s3, norm);                                              \
            for (size_t row = 0; row < t.rows; ++row) {                                                              \
                size_t n = row + 1 < t.rows ? lanes : t.last;                                                        \
                store_##SUFFIX(n, tau, share, z + row * lanes, d + row * lanes, r, x.p + t.start + row * t.stride);  \
            }                                                                                                        \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    CK_VECTORISED void ck_group_prox_##SUFFIX(REAL *v, const REAL *z, const REAL *d, ck_groups shape, REAL tau,      \
                                              REAL *scratch) {                                                       \
        arrays_##SUFFIX x = {v, v, v, z, d};                                                                         \
        groups_##SUFFIX(PROX, x, shape, tau, 1, 0, scratch);                                                         \
    }                                                                                                                \
                                                                                                                     \
    CK_VECTORISED void ck_group_ramda_##SUFFIX(REAL *p, const REAL *g, REAL *v, REAL *u, const REAL *start,          \
                                               ck_groups shape, REAL tau, REAL share, const REAL *k, REAL *scratch) {\
        arrays_##SUFFIX x = {p, v, u, g, start};                                                                     \
        groups_##SUFFIX(RAMDA, x, shape, tau, share, k, scratch);                                                    \
    }                                                                                                                \
                                                                                                                     \
    CK_VECTORISED void ck_group_adam_##SUFFIX(REAL *p, const REAL *g, REAL *m, REAL *v, ck_groups shape, REAL tau,   \
                                              const REAL *k, REAL *scratch) {                                        \
        arrays_##SUFFIX x = {p, m, v, g, g};                                                                         \
        groups_##SUFFIX(ADAM, x, shape, tau, 1, k, scratch);                                                         \
    }

GROUPS(float, f32, 1e-37f, 1e-6f)
GROUPS(double, f64, 1e-300, 1e-15)
