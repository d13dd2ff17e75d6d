/* What all ways through a block share: rows in cache, tiles of sums in registers, pooling. */
#ifndef DOWNSCALEXR_BLOCK_H
#define DOWNSCALEXR_BLOCK_H
#include "vectors.h"
#if WINOGRAD
#include "transforms.h"
#else
/* section: direct lines */
enum { LINES = K }; /* rows of a transformed convolution kernel; directly, its own */

/* one convolution kernel, (K, K), to (LINES, K) */
static void to_lines(const float *w, float *to) {
    memcpy(to, w, 4 * K * K);
}

/* its transpose, for gradients */
SHARED void from_lines(const float *t, float *to) {
    memcpy(to, t, 4 * K * K);
}
#endif

size_t forward_scratch(int h, int w);
size_t backward_scratch(int h, int w);
size_t shared_scratch(int images);
void forward(const float *x, const float *w, const float *b, float *y, uint8_t *m, float *scratch, int images,
             int h, int width, int threads);
void backward(const float *gy, const uint8_t *m, const float *x, const float *w, float *dw, float *db,
              float *dx, float *scratch, int images, int h, int width, int threads);

/* section: sizes */
enum { TAPS = CIN * K * K, ROWS = POOL ? 2 : 1 }; /* weights of an output; rows of the map in a window */
typedef struct {
    int h, w;   /* the image */
    int ow;     /* outputs in a row */
    int ph, pw; /* the pooled map */
    int xs;     /* numbers in a padded row of the image */
    int gh, gs; /* rows of the map's padded gradient, numbers in each */
} size;

static size sizes(int h, int w) {
    size s = {h, w, (w - K) / S + 1, (h - K + 1) / S / ROWS, (w - K + 1) / S / ROWS, 0, 0, 0};
    s.xs = UP(UP(s.ow) + (K - 1) / S);
    s.gh = (h - 1) / S + K;
    s.gs = UP(UP((w + S - 1) / S) + UP(K - 1));
    return s;
}

/* section: rows */
/* one image's rows, zeros behind them; at stride 2 even and odd columns apart: (CIN, h, S, xs) */
SHARED void spread(const float *x, float *to, size s) {
    for (int r = 0; r < CIN * s.h; r++, x += s.w, to += S * s.xs) {
        int i = 0;
#if S == 2
        for (; (i + V) * 2 <= s.w; i += V) {
            vec a = at(x + 2 * i);
            vec b = at(x + 2 * i + V);
            put(to + i, EVEN(a, b));
            put(to + s.xs + i, ODD(a, b));
        }
#endif
        for (int p = 0; p < S; p++) {
            for (int j = i; j < s.xs && j * S + p < s.w; j++) {
                to[p * s.xs + j] = x[j * S + p];
            }
        }
    }
}

/* section: tile */
/* OB outputs at n * V places of a row, from `down` rows of each channel's `high`; w: (CIN, down, K, OB) */
INLINE void tile(const float *x, const float *w, const float *b, float *out, size s, int ld, int high,
                 const int down, const int n) {
    vec sum[OB][XB];
    EACH(o, OB) {
        EACH(i, n) {
            sum[o][i] = b[o] - (vec){};
        }
    }
    for (int c = 0; c < CIN; c++) {
        for (int ky = 0; ky < down; ky++) {
            const float *row = x + ((size_t)c * high + ky) * S * s.xs;
            UNROLL
            for (int kx = 0; kx < K; kx++, w += OB) {
                vec v[XB];
                EACH(i, n) {
                    v[i] = at(row + kx % S * s.xs + kx / S + i * V);
                    HELD(v[i]);
                }
                EACH(o, OB) {
                    EACH(i, n) {
                        sum[o][i] += w[o] * v[i];
                    }
                }
            }
        }
    }
    EACH(o, OB) {
        EACH(i, n) {
            put(out + o * ld + i * V, sum[o][i]);
        }
    }
}

/* section: row of tiles */
/* one row of tiles before ReLU: (OB, ld) */
INLINE void conv_tiles(const float *x, const float *w, const float *b, float *out, size s, int ld, int high,
                       const int down) {
    for (int i = 0, n; i < ld; i += n * V) {
        n = (ld - i) / V;
        n = n == XB + 1 ? n / 2
            : n > XB    ? XB
                        : n; /* not a single vector at the end: so few sums wait for each other */
        switch (n) {
        case 4:
            tile(x + i, w, b, out + i, s, ld, high, down, XB > 3 ? 4 : 1);
            break;
        case 3:
            tile(x + i, w, b, out + i, s, ld, high, down, XB > 2 ? 3 : 1);
            break;
        case 2:
            tile(x + i, w, b, out + i, s, ld, high, down, XB > 1 ? 2 : 1);
            break;
        case 1:
            tile(x + i, w, b, out + i, s, ld, high, down, 1);
        }
    }
}

/* section: pooling of windows */
/* ReLU and pooling of V windows, from one vector of the map or from two vectors of each of two rows;
 * bit k of the mask: value k of the window gets the gradient */
INLINE vec pooled(const vec *v, uint8_t *m) {
    ints k;
#if POOL == 0
    vec y = rectified(v[0]);
    k = (v[0] > 0) & 1;
#else
    vec v0 = EVEN(v[0], v[1]);
    vec v1 = ODD(v[0], v[1]);
    vec v2 = EVEN(v[2], v[3]);
    vec v3 = ODD(v[2], v[3]);
#if POOL == 1
    vec y = .25f * ((rectified(v0) + rectified(v1)) + (rectified(v2) + rectified(v3)));
    k = ((v0 > 0) & 1) | ((v1 > 0) & 2) | ((v2 > 0) & 4) | ((v3 > 0) & 8);
#else
    ints right = v1 > v0;
    ints corner = v3 > v2;
    vec s = (v0 + v1) + (v2 + v3);
    vec top = pick(right, v1, v0);
    vec low = pick(corner, v3, v2);
    vec best = pick(low > top, low, top);
    vec y = rectified(best) + (s - s); /* a NaN anywhere in the window stays one */
    k = (best > 0) & (((low > top) & (4 - 4 * corner)) | (~(low > top) & (1 - right)));
#endif
#endif
#if SCORE /* nobody asks for the gradient */
    (void)k, (void)m;
#else
    put_bytes(m, k);
#endif
    return y;
}

/* section: pooling of rows */
/* the same, kept at y and m: n windows, V of them or, in a map so narrow, fewer */
INLINE void pool(const vec *v, float *y, uint8_t *m, int n) {
    uint8_t k[V];
    if (n == V) {
        put(y, pooled(v, m));
    } else {
        vec few = pooled(v, k);
        memcpy(y, &few, 4 * n);
#if !SCORE
        memcpy(m, k, n);
#endif
    }
}

/* of two rows; the last V windows overlap those before */
SHARED void pool_rows(const float *a, const float *b, float *y, uint8_t *m, int pw) {
    for (int i = 0; i < pw; i += V) {
        int j = i + V <= pw || pw < V ? i : pw - V;
        vec v[ROWS * ROWS];
        EACH(h, ROWS) {
            v[h] = at(a + ROWS * j + h * V);
            v[ROWS * ROWS - ROWS + h] = at(b + ROWS * j + h * V);
        }
        pool(v, y + j, m + j, pw < V ? pw : V);
    }
}

/* section: gradient of windows */
/* the gradients of windows j to j + V, before pooling and ReLU, at their places: vectors as `pooled` has
 * them; returns their sum, less windows before i */
INLINE vec handed_on(const float *gy, const uint8_t *m, vec *to, int i, int j, int pw) {
    vec v = {};
    bytes small = {};
    if (pw < V) {
        memcpy(&v, gy, 4 * pw);
        memcpy(&small, m, pw);
    } else {
        v = at(gy + j);
        small = *(const bytes *)(m + j);
    }
    ints k = __builtin_convertvector(small, ints);
    ints fresh = COUNT >= i - j;
#if POOL == 0
    to[0] = (vec)((ints)v & -k);
    return (vec)((ints)to[0] & fresh);
#else
    if (POOL == 1) {
        v *= .25f;
    }
    vec v0 = (vec)((ints)v & -(k & 1));
    vec v1 = (vec)((ints)v & -(k >> 1 & 1));
    vec v2 = (vec)((ints)v & -(k >> 2 & 1));
    vec v3 = (vec)((ints)v & -(k >> 3));
    to[0] = LOW(v0, v1);
    to[1] = HIGH(v0, v1);
    to[2] = LOW(v2, v3);
    to[3] = HIGH(v2, v3);
    return (vec)((ints)((v0 + v1) + (v2 + v3)) & fresh);
#endif
}

/* section: gradient of rows */
/* the same of a row of windows, to a row of the map or to two; returns their sum */
INLINE vec expand_row(const float *gy, const uint8_t *m, float *a, float *b, size s) {
    (void)b; /* without pooling there is one row */
    vec sum = {};
    for (int i = 0; i < s.pw; i += V) {
        int j = i + V <= s.pw || s.pw < V ? i : s.pw - V;
        vec v[ROWS * ROWS];
        sum += handed_on(gy, m, v, i, j, s.pw);
        EACH(h, ROWS) {
            put(a + ROWS * j + h * V, v[h]);
        }
#if POOL
        EACH(h, ROWS) { /* after a: in a map so narrow, zeros of a lie here */
            put(b + ROWS * j + h * V, v[2 + h]);
        }
#endif
    }
    return sum;
}

/* section: totals */
enum { PART = UP(GB * K) }; /* numbers in a part of the weights' gradient: GB outputs, one channel, one row */

/* the totals of n vectors, added to as many numbers */
INLINE void add_totals(const vec *v, float *to, const int n) {
    UNROLL
    for (int b = 0; b < n; b += V) {
        vec w[V];
        EACH(i, V) {
            w[i] = b + i < n ? v[b + i] : (vec){};
        }
        UNROLL
        for (int m = V / 2; m; m /= 2) {
            EACH(i, m) {
                w[i] = EVEN(w[2 * i], w[2 * i + 1]) + ODD(w[2 * i], w[2 * i + 1]);
            }
        }
        put(to + b, at(to + b) + w[0]);
    }
}

/* section: weight gradient */
/* a part's products over some rows, added to it; an output's map has `high` rows */
INLINE void products(const float *g, const float *x, float *part, size s, int rows, int high) {
    vec sum[GB * K];
    EACH(i, GB * K) {
        sum[i] = (vec){};
    }
    for (int r = 0; r < rows; r++, g += s.gs, x += S * S * s.xs) {
        for (int j = 0; j < s.ow; j += V) {
            vec v[GB];
            EACH(o, GB) {
                v[o] = at(g + (size_t)o * high * s.gs + j);
                HELD(v[o]);
            }
            EACH(k, K) {
                vec u = at(x + j + k % S * s.xs + k / S);
                HELD(u);
                EACH(o, GB) {
                    sum[o * K + k] += v[o] * u;
                }
            }
        }
    }
    add_totals(sum, part, GB * K);
}

/* section: taps */
enum {
    SUM = LINES * (COUT / GB) * CIN * PART, /* numbers in a group's part of the weights' gradient */
    PACKED = COUT * CIN * LINES * K         /* numbers in the taps */
};

static size_t groups(int images) {
    return (images + GROUP - 1) / GROUP;
}

/* each convolution kernel's lines; outputs, or on the way back inputs, side by side in tiles of n as the
 * loops want them, `others` of the other kind */
INLINE const float *taps(const float *w, float *to, const int back, const int n, const int others) {
    float t[LINES * K];
    for (int o = 0; o < COUT; o++) {
        for (int c = 0; c < CIN; c++) {
            int i = back ? c : o;
            int j = back ? o : c;
            to_lines(w + (o * CIN + c) * K * K, t);
            for (int f = 0; f < LINES; f++) {
                int row = WINOGRAD ? (i / n * LINES + f) * others + j : (i / n * others + j) * LINES + f;
                for (int k = 0; k < K; k++) {
                    to[(row * K + k) * n + i % n] = t[f * K + k];
                }
            }
        }
    }
    return to;
}

static const float *taps_forward(const float *w, float *to) {
    return taps(w, to, 0, OB, CIN);
}

SHARED const float *taps_backward(const float *w, float *to) {
    return taps(w, to, 1, CB, COUT);
}

/* section: parts */
SHARED size_t parts_scratch(int images) {
    return PACKED + groups(images) * SUM + (size_t)images * COUT;
}

/* zeros for the parts of the weights' gradient, behind the taps: (groups, LINES, COUT/GB, CIN, PART); the
 * biases' gradients, (images, COUT), come behind them */
SHARED float *parts(float *all, int images) {
    return memset(all + PACKED, 0, 4 * groups(images) * SUM);
}

SHARED void add_parts(float *sums, float *dw, int images) {
    for (size_t q = 1; q < groups(images); q++) {
        for (int i = 0; i < SUM; i++) {
            sums[i] += sums[q * SUM + i];
        }
    }
    float t[LINES * K];
    for (int o = 0; o < COUT; o++) {
        for (int c = 0; c < CIN; c++) {
            for (int f = 0; f < LINES; f++) {
                for (int k = 0; k < K; k++) {
                    t[f * K + k] = sums[((f * COUT + o) / GB * CIN + c) * PART + o % GB * K + k];
                }
            }
            from_lines(t, dw + (o * CIN + c) * K * K);
        }
    }
}

static void add_biases(const float *biases, float *db, int images) {
    for (int o = 0; o < COUT; o++) {
        db[o] = 0;
        for (int n = 0; n < images; n++) {
            db[o] += biases[n * COUT + o];
        }
    }
}

/* section: input gradient */
/* CB inputs at n * V places, every S-th, from row p and column q on; `down` rows of the convolution kernel,
 * `high` of an output's map; w: (COUT, down, K, CB) */
INLINE void back_tile(const float *g, const float *w, float *out, size s, int p, int q, int ld, int high,
                      const int down, const int n) {
    vec sum[CB][BB];
    EACH(c, CB) {
        EACH(i, n) {
            sum[c][i] = (vec){};
        }
    }
    for (int o = 0; o < COUT; o++) {
        for (int ky = p; ky < down; ky += S) {
            const float *row = g + ((size_t)o * high - ky / S) * s.gs;
            const float *u = w + (size_t)(o * down + ky) * K * CB;
            UNROLL
            for (int kx = q; kx < K; kx += S) {
                vec v[BB];
                EACH(i, n) {
                    v[i] = at(row - kx / S + i * V);
                    HELD(v[i]);
                }
                EACH(c, CB) {
                    EACH(i, n) {
                        sum[c][i] += u[kx * CB + c] * v[i];
                    }
                }
            }
        }
    }
    EACH(c, CB) {
        EACH(i, n) {
            put(out + c * ld + i * V, sum[c][i]);
        }
    }
}

/* one row of them: (CB, ld) */
INLINE void back_tiles(const float *g, const float *w, float *out, size s, int p, int q, int ld, int high,
                       const int down) {
    int i = 0;
    for (; i + BB * V <= ld; i += BB * V) {
        back_tile(g + i, w, out + i, s, p, q, ld, high, down, BB);
    }
    for (; i < ld; i += V) {
        back_tile(g + i, w, out + i, s, p, q, ld, high, down, 1);
    }
}
#endif
