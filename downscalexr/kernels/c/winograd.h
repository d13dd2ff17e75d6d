/* Winograd's way through a block with a convolution of five rows: eight products for four rows of the map. */
#ifndef DOWNSCALEXR_WINOGRAD_H
#define DOWNSCALEXR_WINOGRAD_H
#include "block.h"

/* section: image tile */
/* tiles of four rows of the map */
static int tiles(size s) {
    return (ROWS * s.ph + 3) / 4;
}

/* eight rows of each channel from the tile's first on, transformed; `step` from one channel to the next:
 * (8, CIN, step) */
static void image_tile(const float *x, const float *zeros, float *to, size s, int tile, size_t step) {
    for (int c = 0; c < CIN; c++) {
        const float *row[8];
        for (int r = 0; r < 8; r++) {
            row[r] = 4 * tile + r < s.h ? x + ((size_t)c * s.h + 4 * tile + r) * s.xs : zeros;
        }
        for (int i = 0; i < s.xs; i += V) {
            vec d[8], e[8];
            EACH(r, 8) {
                d[r] = at(row[r] + i);
            }
            image_side(d, e);
            EACH(f, 8) {
                put(to + (f * CIN + c) * step + i, e[f]);
            }
        }
    }
}

/* section: pooled tile */
/* one output's eight lines of products, `step` apart, back to four rows of the map, of which there may be
 * fewer; bias, ReLU, pooling */
static void map_pooled(const float *products, float bias, float *y, uint8_t *m, size s, int tile,
                       size_t step) {
    for (int i = 0; i < s.pw; i += V) {
        int j = i + V <= s.pw || s.pw < V ? i : s.pw - V;
        vec v[4 * ROWS];
        EACH(h, ROWS) {
            vec p[8], row[4];
            EACH(f, 8) {
                p[f] = at(products + f * step + ROWS * j + h * V);
            }
            map_side(p, row);
            EACH(r, 4) {
                v[r * ROWS + h] = row[r] + bias;
            }
        }
        EACH(r, 4 / ROWS) {
            if (4 / ROWS * tile + r < s.ph) {
                pool(v + r * ROWS * ROWS, y + r * s.pw + j, m + r * s.pw + j, s.pw < V ? s.pw : V);
            }
        }
    }
}

/* section: forward */
size_t forward_scratch(int h, int w) {
    size s = sizes(h, w);
    return (size_t)(CIN * h + 1 + 8 * CIN) * s.xs + 8 * OB * UP(s.ow) + 2 * V;
}

/* as in direct.h; taps: (COUT/OB, 8, CIN, K, OB) */
void forward(const float *x, const float *w, const float *b, float *y, uint8_t *m, float *scratch, int images,
             int h, int width, int threads) {
    size s = sizes(h, width);
    int ld = UP(s.ow);
    static const float none[OB];
    w = taps_forward(w, scratch + threads * forward_scratch(h, width));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int n = 0; n < images; n++) {
        float *padded = scratch + thread() * forward_scratch(h, width);
        float *zeros = padded + (size_t)CIN * h * s.xs;
        float *d = zeros + s.xs;
        float *lines = d + 8 * CIN * s.xs;
        spread(x + (size_t)n * CIN * h * width, padded, s);
        for (int t = 0; t < tiles(s); t++) {
            image_tile(padded, zeros, d, s, t, s.xs);
            for (int o = 0; o < COUT; o++) {
                if (o % OB == 0) {
                    for (int f = 0; f < 8; f++) {
                        conv_tiles(d + f * CIN * s.xs, w + (size_t)(8 * o + f * OB) * CIN * K, none,
                                   lines + f * OB * ld, s, ld, 1, 1);
                    }
                }
                size_t to = (((size_t)n * COUT + o) * s.ph + 4 / ROWS * t) * s.pw;
                map_pooled(lines + o % OB * ld, b[o], y + to, m + to, s, t, OB * ld);
            }
        }
    }
}

#if !SPARSE
/* section: map tile */
/* the gradient of a tile of each output, transformed, UP(K - 1) numbers behind its place: (8, COUT, step),
 * zeros where it has none */
static void map_tile(const float *gy, const uint8_t *m, float *to, vec *db, size s, int tile, size_t step) {
    for (int o = 0; o < COUT; o++) {
        size_t from = ((size_t)o * s.ph + 4 / ROWS * tile) * s.pw;
        size_t next = from + 4 / ROWS * s.pw;
        for (int i = 0; i < 4 / ROWS * s.pw; i += 16) { /* of the next tile */
            __builtin_prefetch(gy + next + i);
            __builtin_prefetch(m + next + i);
        }
        for (int i = 0; i < s.pw; i += V) {
            int j = i + V <= s.pw || s.pw < V ? i : s.pw - V;
            vec v[4 * ROWS] = {};
            EACH(r, 4 / ROWS) {
                if (4 / ROWS * tile + r < s.ph) {
                    db[o] +=
                        handed_on(gy + from + r * s.pw, m + from + r * s.pw, v + r * ROWS * ROWS, i, j, s.pw);
                }
            }
            EACH(h, ROWS) {
                vec g[4], q[8];
                EACH(r, 4) {
                    g[r] = v[r * ROWS + h];
                }
                map_back(g, q);
                EACH(f, 8) {
                    put(to + (f * COUT + o) * step + UP(K - 1) + ROWS * j + h * V, q[f]);
                }
            }
        }
    }
}

/* section: image rows */
/* four rows of each channel's gradient from eight lines e: (8, CIN, ld); late: (CIN, 4, ld), from the tile
 * before, for the next */
static void image_rows(const float *e, float *late, float *dx, size s, int y, int ld) {
    for (int c = 0; c < CIN; c++, late += 4 * ld) {
        for (int i = 0; i < s.w; i += V) {
            float *to = dx + ((size_t)c * s.h + y) * s.w + i;
            vec v[8], d[8];
            EACH(f, 8) {
                v[f] = at(e + (f * CIN + c) * ld + i);
            }
            image_back(v, d);
            EACH(r, 4) {
                vec sum = d[r] + at(late + r * ld + i);
                if (i + V <= s.w) {
                    put(to + r * s.w, sum);
                } else {
                    memcpy(to + r * s.w, &sum, 4 * (s.w - i));
                }
                put(late + r * ld + i, d[r + 4]);
            }
        }
    }
}

/* section: lines */
enum { BAND = 1 << 16 }; /* numbers in the lines of the tiles that are side by side */

static int band(size s) {
    int n = BAND / (8 * (COUT * s.gs + CIN * s.xs));
    return n < 1 ? 1 : n < tiles(s) ? n : tiles(s);
}

/* of one image, from n tiles side by side, `most` at most; sums as in `products`: (8, COUT/GB, CIN, PART) */
static void tap_gradient(const float *q, const float *d, float *sums, size s, int n, int most) {
    for (int f = 0; f < 8; f++) {
        for (int o = 0; o < COUT; o += GB) {
            for (int c = 0; c < CIN; c++) {
                products(q + (size_t)(f * COUT + o) * most * s.gs + UP(K - 1),
                         d + (size_t)(f * CIN + c) * most * s.xs,
                         sums + ((f * COUT + o) / GB * CIN + c) * PART, s, n, most);
            }
        }
    }
}

/* of one tile, eight lines of each channel: (8, CIN, ld); w: (CIN/CB, 8, COUT, K, CB) */
static void line_gradient(const float *q, const float *w, float *e, size s, int ld, int most) {
    for (int c = 0; c < CIN; c += CB) {
        for (int f = 0; f < 8; f++) {
            back_tiles(q + (size_t)f * COUT * most * s.gs + UP(K - 1),
                       w + (size_t)(8 * c + f * CB) * COUT * K, e + (f * CIN + c) * ld, s, 0, 0, ld, most, 1);
        }
    }
}

/* section: backward */
size_t shared_scratch(int images) {
    return parts_scratch(images);
}

size_t backward_scratch(int h, int w) {
    size s = sizes(h, w);
    return (size_t)(CIN * h + 1) * s.xs + (size_t)band(s) * 8 * (CIN * s.xs + COUT * s.gs) + V +
           12 * CIN * UP(w) + COUT * V;
}

/* as in direct.h; taps: (CIN/CB, 8, COUT, K, CB) */
void backward(const float *gy, const uint8_t *m, const float *x, const float *w, float *dw, float *db,
              float *dx, float *scratch, int images, int h, int width, int threads) {
    size s = sizes(h, width);
    int ld = UP(width);
    int count = tiles(s);
    int most = band(s);
    float *all = scratch + threads * backward_scratch(h, width);
    float *sums = parts(all, images);
    float *ends = sums + groups(images) * SUM;
    w = taps_backward(w, all);
#pragma omp parallel for schedule(static, GROUP) num_threads(threads)
    for (int n = 0; n < images; n++) {
        float *padded = scratch + thread() * backward_scratch(h, width);
        float *zeros = padded + (size_t)CIN * h * s.xs;
        float *d = zeros + s.xs;
        float *q = d + (size_t)most * 8 * CIN * s.xs;
        float *e = q + (size_t)most * 8 * COUT * s.gs + V;
        float *late = e + 8 * CIN * ld;
        float *to = dx + (dx ? (size_t)n * CIN * h * width : 0);
        vec *biases = (vec *)(late + 4 * CIN * ld);
        size_t out = (size_t)n * COUT * s.ph * s.pw;
        memset(late, 0, 4 * (4 * CIN * ld + COUT * V));
        spread(x + (size_t)n * CIN * h * width, padded, s);
        for (int t = 0; t < count; t++) {
            int i = t % most;
            image_tile(padded, zeros, d + i * s.xs, s, t, most * s.xs);
            map_tile(gy + out, m + out, q + i * s.gs, biases, s, t, most * s.gs);
            if (i == most - 1 || t == count - 1) {
                tap_gradient(q, d, sums + n / GROUP * SUM, s, i + 1, most);
            }
            if (dx) {
                line_gradient(q + i * s.gs, w, e, s, ld, most);
                image_rows(e, late, to, s, 4 * t, ld);
            }
        }
        for (int o = 0; o < COUT; o++) {
            ends[n * COUT + o] = total(biases[o]);
        }
        if (dx) { /* rows below the last tile: what it left for them, then zeros */
            for (int c = 0; c < CIN; c++) {
                for (int y = 4 * count; y < h; y++) {
                    if (y < 4 * count + 4) {
                        memcpy(to + ((size_t)c * h + y) * width, late + (4 * c + y - 4 * count) * ld,
                               4 * width);
                    } else {
                        memset(to + ((size_t)c * h + y) * width, 0, 4 * width);
                    }
                }
            }
        }
    }
    add_parts(sums, dw, images);
    add_biases(ends, db, images);
}
#endif
#endif
