/* The backward pass of a block that visits only the values of the map that have a gradient. */
#ifndef DOWNSCALEXR_SPARSE_H
#define DOWNSCALEXR_SPARSE_H
#include "block.h"

/* section: list of places */
enum {
    ROW = SPANS * SPAN * V,                   /* numbers in a row of taps */
    SUMS = 3 * REGISTERS / 4,                 /* vectors of sums that stay in registers */
    DOWN = SUMS / SPAN > K ? K : SUMS / SPAN, /* rows of the convolution kernel at a time, so that they do */
    REST = K % DOWN,                          /* rows that are left over */
    TWICE = DOWN * SPAN * 2 <= SUMS ? 2 : 1   /* sets of sums: two where one would be few */
};
typedef struct {
    int at;  /* the patch's first number in the image */
    float g; /* its gradient */
} place;

/* rows of windows at a time: their part of the image stays in the first cache */
static int stripe(size s) {
    int n = (12288 / (s.w * CIN) - K) / (S * ROWS) + 1;
    return n < 1 ? 1 : n < s.ph ? n : s.ph;
}

/* of a row of windows, the first at `at`: how many have a gradient, at most pw; one more may be written */
INLINE int listed(const float *gy, const uint8_t *m, place *to, int at, size s) {
    const int within[9] = {
        0, 0, CIN, 0, s.w * CIN, 0, 0, 0, s.w * CIN + CIN}; /* bits as `pooled` sets them */
    int n = 0;
    for (int j = 0; j < s.pw; j++, at += S * ROWS * CIN) {
        to[n] = (place){at + within[m[j]], gy[j]};
        n += m[j] != 0;
    }
    return n;
}

/* section: weight sums */
/* n places of one output, `down` rows of their patches of SPAN vectors; dw: rows ROW apart; returns the sum
 * of the gradients */
INLINE float collect(const place *p, int n, const float *x, size_t line, float *dw, const int down) {
    vec sum[TWICE][DOWN][SPAN];
    float all = 0;
    EACH(e, TWICE) {
        EACH(r, down) {
            EACH(i, SPAN) {
                sum[e][r][i] = e ? (vec){} : at(dw + r * ROW + i * V);
            }
        }
    }
    for (int k = 0; k < n; k += TWICE) {
        EACH(e, TWICE) {
            if (k + e < n) {
                const float *from = x + p[k + e].at;
                const float g = p[k + e].g;
                all += g;
                EACH(r, down) {
                    EACH(i, SPAN) {
                        sum[e][r][i] += g * at(from + r * line + i * V);
                    }
                }
            }
        }
    }
    EACH(r, down) {
        EACH(i, SPAN) {
            put(dw + r * ROW + i * V, TWICE == 2 ? sum[0][r][i] + sum[TWICE - 1][r][i] : sum[0][r][i]);
        }
    }
    return all;
}

/* section: input sums */
/* w: (K, ROW), zeros behind K * CIN numbers */
INLINE void deal(const place *p, int n, const float *w, float *dx, size_t line) {
    for (int k = 0; k < n; k++) {
        float *to = dx + p[k].at;
        const float g = p[k].g;
        for (int r = 0; r < K; r++) {
            EACH(i, SPANS * SPAN) {
                put(to + r * line + i * V, at(to + r * line + i * V) + g * at(w + r * ROW + i * V));
            }
        }
    }
}

/* section: one image */
static size_t image_scratch(size s) {
    return (size_t)s.h * s.w * CIN + ROW;
}

size_t backward_scratch(int h, int w) {
    size s = sizes(h, w);
    return 2 * image_scratch(s) + 2 * (size_t)COUT * (stripe(s) * s.pw + 1);
}

/* image n; w, dw: (COUT, K, ROW); db: (COUT) */
static void one_image(const float *gy, const uint8_t *m, const float *x, const float *w, float *dw, float *db,
                      float *dx, float *scratch, int n, size s) {
    int line = s.w * CIN;
    int pixels = s.h * s.w;
    int high = stripe(s);
    float *image = scratch;
    float *back = image + image_scratch(s);
    place *list = (place *)(back + image_scratch(s));
    size_t in = (size_t)n * CIN * pixels;
    for (int p = 0; p < pixels; p++) {
        EACH(c, CIN) {
            image[p * CIN + c] = x[in + c * pixels + p];
        }
    }
    if (dx) {
        memset(back, 0, 4 * image_scratch(s));
    }
    for (int i = 0; i < s.ph; i += high) {
        for (int o = 0; o < COUT; o++) {
            float *sums = dw + (size_t)o * K * ROW;
            int count = 0;
            int y;
            for (int r = i; r < i + high && r < s.ph; r++) {
                size_t from = (((size_t)n * COUT + o) * s.ph + r) * s.pw;
                count += listed(gy + from, m + from, list + count, r * S * ROWS * line, s);
            }
            for (int e = 0; e < SPANS * SPAN * V; e += SPAN * V) {
                for (y = 0; y + DOWN <= K; y += DOWN) {
                    float all = collect(list, count, image + y * line + e, line, sums + y * ROW + e, DOWN);
                    if (y + e == 0) {
                        db[o] += all;
                    }
                }
                if (REST) {
                    collect(list, count, image + y * line + e, line, sums + y * ROW + e, REST);
                }
            }
            if (dx) {
                deal(list, count, w + (size_t)o * K * ROW, back, line);
            }
        }
    }
    if (dx) {
        for (int c = 0; c < CIN; c++) {
            for (int p = 0; p < pixels; p++) {
                dx[in + c * pixels + p] = back[p * CIN + c];
            }
        }
    }
}

/* section: backward */
enum {
    TAKEN = COUT * K * ROW
}; /* numbers in the taps, and in a group's part of the gradient: (COUT, K, ROW) */

size_t shared_scratch(int images) {
    return PACKED + TAKEN + groups(images) * TAKEN + (size_t)images * COUT;
}

/* where number i of (COUT, CIN, K, K) stands in (COUT, K, ROW) */
INLINE int tap(int i) {
    int k = i % K;
    int ky = i / K % K;
    int c = i / (K * K) % CIN;
    int o = i / (K * K * CIN);
    return (o * K + ky) * ROW + k * CIN + c;
}

/* as in direct.h */
void backward(const float *gy, const uint8_t *m, const float *x, const float *w, float *dw, float *db,
              float *dx, float *scratch, int images, int h, int width, int threads) {
    size s = sizes(h, width);
    float *rows = scratch + threads * backward_scratch(h, width);
    float *parts = rows + TAKEN;
    float *biases = parts + groups(images) * TAKEN;
    memset(rows, 0, 4 * (size_t)(biases - rows + images * COUT));
    for (int i = 0; i < COUT * CIN * K * K; i++) {
        rows[tap(i)] = w[i];
    }
#pragma omp parallel for schedule(static, GROUP) num_threads(threads)
    for (int n = 0; n < images; n++) {
        one_image(gy, m, x, rows, parts + n / GROUP * TAKEN, biases + n * COUT, dx,
                  scratch + thread() * backward_scratch(h, width), n, s);
    }
    for (size_t q = 1; q < groups(images); q++) {
        for (int i = 0; i < TAKEN; i++) {
            parts[i] += parts[q * TAKEN + i];
        }
    }
    for (int i = 0; i < COUT * CIN * K * K; i++) {
        dw[i] = parts[tap(i)];
    }
    add_biases(biases, db, images);
}
#endif
