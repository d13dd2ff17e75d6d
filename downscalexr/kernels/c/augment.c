/* Mirror, rotation, brightness, contrast and normalisation of a batch of images. */
#include "vectors.h"

typedef double twos
    __attribute__((vector_size(4 * V), aligned(8))); /* pairs of neighbours; not computed with */

/* section: pairs */
/* the pixels at V places, and their right-hand neighbours: of each pair one load, which takes less time than
 * a gather */
#if defined(__GNUC__) && !defined(__clang__) /* all of p is set, which GCC does not see */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
INLINE void pairs(const float *from, const int *place, vec *left, vec *right) {
    twos p[2];
    EACH(h, 2) {
        EACH(k, V / 2) {
            double two;
            memcpy(&two, from + place[h * V / 2 + k], 8);
            p[h][k] = two;
        }
    }
    *left = EVEN((vec)p[0], (vec)p[1]);
    *right = ODD((vec)p[0], (vec)p[1]);
}

/* section: turned row */
/* One row of the turned image; its pixel j lies at (xs[j] - x0, ys[j] + y0) of the image, in [-1, 1], as in
 * PyTorch's grid_sample. Scratch for three rows, zeros behind each. */
static void turned(const float *rim, const float *xs, const float *ys, float x0, float y0, float light,
                   float *scratch, float *y, int side) {
    int wide = side + 3;
    int *place = (int *)(scratch + 2 * UP(side));
    float half = side / 2.f;
    float end = side + 1;
    float *across = scratch;
    float *down = scratch + UP(side);
    for (int j = 0; j < side; j++) {
        float u = (xs[j] - x0 + 1) * half + .5f; /* in pixels of the copy with its rim */
        float v = (ys[j] + y0 + 1) * half + .5f;
        u = u < 0 ? 0 : u;
        u = u > end ? end : u;
        v = v < 0 ? 0 : v;
        v = v > end ? end : v;
        int a = u;
        int b = v;
        across[j] = u - a;
        down[j] = v - b;
        place[j] = b * wide + a;
    }
    for (int j = 0; j < side; j += V) { /* behind the last pixel the scratch is zeros */
        vec a, b, c, d;
        vec e = at(across + j);
        vec s = at(down + j);
        pairs(rim, place + j, &a, &b);
        pairs(rim + wide, place + j, &c, &d);
        a += e * (b - a);
        c += e * (d - c);
        a = light * (a + s * (c - a));
        a = pick(a > 1, 1 - (vec){}, a);
        if (j + V <= side) {
            put(y + j, a);
        } else {
            memcpy(y + j, &a, 4 * (side - j));
        }
    }
}

/* section: batch */
size_t augmented_scratch(int side);
void augmented(const uint8_t *images, const float *how, float *out, float *scratch, int n, int side,
               float mean, float deviation, int threads);

size_t augmented_scratch(int side) {
    return (side + 3) * (side + 3) + 5 * UP(side);
}

/* images: (n, side, side); each row of how: mirror * cos, mirror * sin, sin, cos, brightness, contrast;
 * scratch: zeros, `augmented_scratch` for each thread */
void augmented(const uint8_t *images, const float *how, float *out, float *scratch, int n, int side,
               float mean, float deviation, int threads) {
    (void)threads; /* without OpenMP there is one */
    int wide = side + 3;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int k = 0; k < n; k++) {
        float *rim = scratch + thread() * augmented_scratch(side);
        float *xs = rim + wide * wide;
        float *ys = xs + UP(side);
        float *y = out + (size_t)k * side * side;
        const uint8_t *image = images + (size_t)k * side * side;
        const float *h = how + 6 * k;
        double sum = 0;
        for (int j = 0; j < side; j++) {
            float place = (2 * j + 1) / (float)side - 1;
            xs[j] = h[0] * place;
            ys[j] = h[2] * place;
        }
        for (int i = 0; i < side; i++) {
            for (int j = 0; j < side; j++) {
                rim[(i + 1) * wide + j + 1] = image[i * side + j] / 255.f;
            }
        }
        for (int i = 0; i < side; i++, y += side) {
            float place = (2 * i + 1) / (float)side - 1;
            vec row = {};
            turned(rim, xs, ys, h[1] * place, h[3] * place, h[4], ys + UP(side), y, side);
            for (int j = 0; j + V <= side; j += V) {
                row += at(y + j);
            }
            for (int j = side / V * V; j < side; j++) {
                row[0] += y[j];
            }
            sum += total(row);
        }
        float average = sum / ((double)side * side);
        for (float *p = out + (size_t)k * side * side; p < y; p++) {
            float v = (*p - average) * h[5] + average;
            *p = ((v < 0 ? 0 : v > 1 ? 1 : v) - mean) / deviation;
        }
    }
}
