#ifndef CK_CUBE_ROOT_H
#define CK_CUBE_ROOT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

// A multiplication and an addition round apart everywhere, so that every vector unit gives the same numbers.
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__) && defined(__linux__)
#define CK_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CK_VECTORISED
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

#endif
