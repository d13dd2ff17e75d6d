/* The direct way through a block: row by row, forward and back. */
#ifndef DOWNSCALEXR_DIRECT_H
#define DOWNSCALEXR_DIRECT_H
#include "block.h"

/* section: forward */
size_t forward_scratch(int h, int w) {
    size s = sizes(h, w);
    return UP((size_t)CIN * h * S * s.xs + (size_t)ROWS * COUT * UP(s.ow) + 2 * V);
}

/* w: (COUT, CIN, K, K); scratch: `forward_scratch` for each thread, `shared_scratch` for all behind them */
void forward(const float *x, const float *w, const float *b, float *y, uint8_t *m, float *scratch, int images,
             int h, int width, int threads) {
    size s = sizes(h, width);
    int ld = UP(s.ow);
    w = taps_forward(w, scratch + threads * forward_scratch(h, width));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int n = 0; n < images; n++) {
        float *padded = scratch + thread() * forward_scratch(h, width);
        float *rows = padded + (size_t)CIN * h * S * s.xs;
        spread(x + (size_t)n * CIN * h * width, padded, s);
        for (int i = 0; i < s.ph; i++) {
            for (int r = 0; r < ROWS; r++) {
                for (int o = 0; o < COUT; o += OB) {
                    conv_tiles(padded + (size_t)(i * ROWS + r) * S * S * s.xs, w + (size_t)o * TAPS, b + o,
                               rows + ((size_t)r * COUT + o) * ld, s, ld, s.h, K);
                }
            }
            for (int o = 0; o < COUT; o++) {
                size_t to = (((size_t)n * COUT + o) * s.ph + i) * s.pw;
                pool_rows(rows + o * ld, rows + ((ROWS - 1) * COUT + o) * ld, y + to, m + to, s.pw);
            }
        }
    }
}

#if !SPARSE
/* section: expand */
/* one image's gradient before pooling and ReLU, K - 1 zeros around: (COUT, gh, gs) */
static void expand(const float *gy, const uint8_t *m, float *g, float *db, size s) {
    for (int o = 0; o < COUT; o++) {
        vec sum = {};
        for (int i = 0; i < s.ph; i++, gy += s.pw, m += s.pw) {
            float *a = g + ((size_t)o * s.gh + i * ROWS + K - 1) * s.gs + UP(K - 1);
            sum += expand_row(gy, m, a, a + s.gs, s);
        }
        db[o] = total(sum);
    }
}

/* section: weights and inputs */
/* as many rows at a time as stay in the first cache; sums: (K, COUT/GB, CIN, PART) */
static void weight_gradient(const float *g, const float *x, float *sums, size s) {
    int most = 6144 / (GB * s.gs) < 8 ? 8 : 6144 / (GB * s.gs);
    for (int i = 0, rows; i < ROWS * s.ph; i += rows) {
        rows = ROWS * s.ph - i < most ? ROWS * s.ph - i : most;
        for (int o = 0; o < COUT; o += GB) {
            for (int c = 0; c < CIN; c++) {
                for (int ky = 0; ky < K; ky++) {
                    products(g + ((size_t)o * s.gh + i + K - 1) * s.gs + UP(K - 1),
                             x + ((size_t)c * s.h + i * S + ky) * S * s.xs,
                             sums + ((ky * COUT + o) / GB * CIN + c) * PART, s, rows, s.gh);
                }
            }
        }
    }
}

/* a convolution with the flipped kernel; at stride 2 even and odd columns apart, then joined */
static void input_gradient(const float *g, const float *w, float *dx, float *rows, size s) {
    int ld = UP((s.w + S - 1) / S);
    for (int y = 0; y < s.h; y++) {
        for (int c = 0; c < CIN; c += CB) {
            const float *from = g + (y / S + K - 1) * s.gs + UP(K - 1);
            const float *u = w + c * COUT * K * K;
            EACH(q, S) {
                back_tiles(from, u, rows + q * CB * ld, s, y % S, q, ld, s.gh, K);
            }
            for (int k = 0; k < CB; k++) {
                float *to = dx + ((size_t)(c + k) * s.h + y) * s.w;
                int j = 0;
#if S == 2
                for (; (j + V) * 2 <= s.w; j += V) {
                    vec a = at(rows + k * ld + j);
                    vec b = at(rows + (CB + k) * ld + j);
                    put(to + 2 * j, LOW(a, b));
                    put(to + 2 * j + V, HIGH(a, b));
                }
#endif
                for (int q = 0; q < S; q++) {
                    for (int i = j; i * S + q < s.w; i++) {
                        to[i * S + q] = rows[(q * CB + k) * ld + i];
                    }
                }
            }
        }
    }
}

/* section: backward */
size_t shared_scratch(int images) {
    return parts_scratch(images);
}

size_t backward_scratch(int h, int w) {
    size s = sizes(h, w);
    return UP((size_t)CIN * h * S * s.xs + (size_t)COUT * s.gh * s.gs + S * CB * UP((w + S - 1) / S) + 2 * V);
}

/* w, dw: (COUT, CIN, K, K); db: (COUT); dx may be null; scratch: `backward_scratch` for each thread,
 * `shared_scratch` for all behind them */
void backward(const float *gy, const uint8_t *m, const float *x, const float *w, float *dw, float *db,
              float *dx, float *scratch, int images, int h, int width, int threads) {
    size s = sizes(h, width);
    float *all = scratch + threads * backward_scratch(h, width);
    float *sums = parts(all, images);
    float *biases = sums + groups(images) * SUM;
    w = taps_backward(w, all);
#pragma omp parallel for schedule(static, GROUP) num_threads(threads)
    for (int n = 0; n < images; n++) {
        float *padded = scratch + thread() * backward_scratch(h, width);
        float *g = padded + (size_t)CIN * h * S * s.xs;
        float *rows = g + (size_t)COUT * s.gh * s.gs;
        size_t in = (size_t)n * CIN * h * width;
        size_t out = (size_t)n * COUT * s.ph * s.pw;
        spread(x + in, padded, s);
        expand(gy + out, m + out, g, biases + n * COUT, s);
        weight_gradient(g, padded, sums + n / GROUP * SUM, s);
        if (dx) {
            input_gradient(g, w, dx + in, rows, s);
        }
    }
    add_parts(sums, dw, images);
    add_biases(biases, db, images);
}
#endif
#endif
