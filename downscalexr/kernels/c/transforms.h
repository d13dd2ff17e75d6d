/* Winograd's transforms at the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity: four outputs of five taps. */
#ifndef DOWNSCALEXR_TRANSFORMS_H
#define DOWNSCALEXR_TRANSFORMS_H
#include "vectors.h"

/* section: weights */
/* five taps at the eight points */
static const float G[8][5] = {
    {1, 0, 0, 0, 0},
    {-0.222222224, -0.222222224, -0.222222224, -0.222222224, -0.222222224},
    {-0.222222224, 0.222222224, -0.222222224, 0.222222224, -0.222222224},
    {0.0111111114, 0.0222222228, 0.0444444455, 0.088888891, 0.177777782},
    {0.0111111114, -0.0222222228, 0.0444444455, -0.088888891, 0.177777782},
    {0.711111128, 0.355555564, 0.177777782, 0.088888891, 0.0444444455},
    {0.711111128, -0.355555564, 0.177777782, -0.088888891, 0.0444444455},
    {0, 0, 0, 0, 1},
};
enum { LINES = 8 };

/* G times a convolution kernel, (5, K) to (8, K) */
static void to_lines(const float *w, float *to) {
    for (int f = 0; f < 8; f++) {
        for (int k = 0; k < K; k++) {
            float sum = 0;
            for (int j = 0; j < 5; j++) {
                sum += G[f][j] * w[j * K + k];
            }
            to[f * K + k] = sum;
        }
    }
}

/* its transpose */
SHARED void from_lines(const float *t, float *to) {
    for (int j = 0; j < 5; j++) {
        for (int k = 0; k < K; k++) {
            float sum = 0;
            for (int f = 0; f < 8; f++) {
                sum += G[f][j] * t[f * K + k];
            }
            to[j * K + k] = sum;
        }
    }
}

/* section: image side */
/* B transposed: eight rows of the image */
INLINE void image_side(const vec *d, vec *to) {
    vec even = d[2] + d[6] - 4.25f * d[4];
    vec odd = d[1] + d[5] - 4.25f * d[3];
    to[0] = (d[0] - d[6]) + 5.25f * (d[4] - d[2]);
    to[7] = (d[7] - d[1]) + 5.25f * (d[3] - d[5]);
    to[1] = even + odd;
    to[2] = even - odd;
    even = d[6] + .25f * d[2] - 1.25f * d[4];
    odd = 2 * d[5] + .5f * d[1] - 2.5f * d[3];
    to[3] = even + odd;
    to[4] = even - odd;
    even = d[6] + 4 * d[2] - 5 * d[4];
    odd = .5f * d[5] + 2 * d[1] - 2.5f * d[3];
    to[5] = even + odd;
    to[6] = even - odd;
}

/* B: the gradient of each of the eight rows */
INLINE void image_back(const vec *e, vec *to) {
    vec s1 = e[1] + e[2];
    vec t1 = e[1] - e[2];
    vec s2 = e[3] + e[4];
    vec t2 = e[3] - e[4];
    vec s3 = e[5] + e[6];
    vec t3 = e[5] - e[6];
    to[0] = e[0];
    to[7] = e[7];
    to[1] = t1 + .5f * t2 + 2 * t3 - e[7];
    to[3] = 5.25f * e[7] - 4.25f * t1 - 2.5f * (t2 + t3);
    to[5] = t1 + 2 * t2 + .5f * t3 - 5.25f * e[7];
    to[2] = s1 + .25f * s2 + 4 * s3 - 5.25f * e[0];
    to[4] = 5.25f * e[0] - 4.25f * s1 - 1.25f * s2 - 5 * s3;
    to[6] = s1 + s2 + s3 - e[0];
}

/* section: map side */
/* A transposed: four rows of the map */
INLINE void map_side(const vec *m, vec *y) {
    vec s1 = m[1] + m[2];
    vec t1 = m[1] - m[2];
    vec s2 = m[3] + m[4];
    vec t2 = m[3] - m[4];
    vec s3 = m[5] + m[6];
    vec t3 = m[5] - m[6];
    y[0] = m[0] + s1 + (s2 + s3);
    y[1] = t1 + 2 * t2 + .5f * t3;
    y[2] = s1 + 4 * s2 + .25f * s3;
    y[3] = m[7] + t1 + 8 * t2 + .125f * t3;
}

/* A: the gradient of each of the eight products */
INLINE void map_back(const vec *g, vec *q) {
    vec even = g[0] + g[2];
    vec odd = g[1] + g[3];
    q[0] = g[0];
    q[7] = g[3];
    q[1] = even + odd;
    q[2] = even - odd;
    even = g[0] + 4 * g[2];
    odd = 2 * g[1] + 8 * g[3];
    q[3] = even + odd;
    q[4] = even - odd;
    even = g[0] + .25f * g[2];
    odd = .5f * g[1] + .125f * g[3];
    q[5] = even + odd;
    q[6] = even - odd;
}
#endif
