/* The backward pass of a linear layer with very many inputs, with Adam's step in the same pass. */
#include "vectors.h"
#include <math.h>

/* section: sums */
enum {
    HEIGHT = 6,                     /* rows of a tile */
    WIDTH = REGISTERS == 32 ? 4 : 2 /* vectors of its columns: all sums, one row of the other factor and a
                                     * number stay in registers */
};

/* n rows and k vectors of columns of a product; a: its terms `as` apart, its rows `ar`; b: term t is row
 * which[t], rows ld apart; to: rows `gap` apart */
INLINE void sums(const float *a, int as, int ar, const float *b, const int *which, size_t ld, int terms,
                 float *to, size_t gap, const int n, const int k) {
    vec s[HEIGHT][WIDTH];
    EACH(i, n) {
        EACH(j, k) {
            s[i][j] = (vec){};
        }
    }
    for (int t = 0; t < terms; t++) {
        vec u[WIDTH];
        EACH(j, k) {
            u[j] = at(b + which[t] * ld + j * V);
            HELD(u[j]);
        }
        EACH(i, n) {
            EACH(j, k) {
                s[i][j] += a[t * as + i * ar] * u[j];
            }
        }
    }
    EACH(i, n) {
        EACH(j, k) {
            put(to + i * gap + j * V, s[i][j]);
        }
    }
}

/* as many of the rows that are left as a tile has, or fewer: how many */
INLINE int some(const float *a, int as, int ar, const float *b, const int *which, size_t ld, int terms,
                float *to, size_t gap, int left, const int k) {
    int n = left >= HEIGHT ? HEIGHT : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    if (n == HEIGHT) {
        sums(a, as, ar, b, which, ld, terms, to, gap, HEIGHT, k);
    } else if (n == 4) {
        sums(a, as, ar, b, which, ld, terms, to, gap, 4, k);
    } else if (n == 2) {
        sums(a, as, ar, b, which, ld, terms, to, gap, 2, k);
    } else {
        sums(a, as, ar, b, which, ld, terms, to, gap, 1, k);
    }
    return n;
}

/* section: adam */
typedef struct {
    float decay;  /* weight decay */
    float fresh;  /* 1 - beta1 */
    float keep;   /* beta2 */
    float square; /* 1 - beta2 */
    float size;   /* learning rate / (1 - beta1^t) */
    float root;   /* sqrt(1 - beta2^t) */
    float tiny;   /* epsilon */
} adam;

/* Adam on n weights; g: their gradients, without the decay */
INLINE void adam_row(const float *restrict g, float *restrict w, float *restrict m, float *restrict v, int n,
                     adam c) {
    for (int j = 0; j < n; j++) {
        float d = g[j] + c.decay * w[j];
        float a = m[j] + c.fresh * (d - m[j]);
        float b = c.keep * v[j] + c.square * d * d;
        m[j] = a;
        v[j] = b;
        w[j] -= c.size * a / (sqrtf(b) / c.root + c.tiny);
    }
}

/* section: columns */
/* fetches into the cache: k vectors of columns, `next` behind those that are computed */
INLINE void fetch_rows(const float *x, const float *dx, int images, size_t ld, int next, const int k) {
    for (int i = 0; i < images; i++) {
        for (int j = 0; j < k * V; j += 16) {
            __builtin_prefetch(x + i * ld + next + j);
            if (dx) {
                __builtin_prefetch(dx + i * ld + next + j, 1);
            }
        }
    }
}

INLINE void fetch_weights(const float *w, const float *dw, const float *m, const float *v, const adam *how,
                          size_t from, const int k) {
    for (int j = 0; j < k * V; j += 16) {
        __builtin_prefetch(w + from + j, 1);
        if (how) {
            __builtin_prefetch(m + from + j, 1);
            __builtin_prefetch(v + from + j, 1);
        } else {
            __builtin_prefetch(dw + from + j, 1);
        }
    }
}

/* k vectors of columns; arrays from their first on, `next`: how far it is to the columns that follow, 0 for
 * none */
INLINE void columns(const float *g, const int *rows, const int *all, const float *x, float *w, float *dw,
                    float *m, float *v, float *dx, const adam *how, int images, int live, size_t ld, int next,
                    const int k) {
    float kept[HEIGHT * WIDTH * V];
    if (next) {
        fetch_rows(x, dx, images, ld, next, k);
    }
    if (dx) {
        for (int i = 0; i < images;) {
            i += some(g + (size_t)i * live, 1, live, w, rows, ld, live, dx + i * ld, ld, images - i, k);
        }
    }
    for (int i = 0, n; i < live; i += n) {
        n = some(g + i, live, 1, x, all, ld, images, kept, k * V, live - i, k);
        for (int r = 0; r < n; r++) {
            size_t row = rows[i + r] * ld;
            if (next) {
                fetch_weights(w, dw, m, v, how, row + next, k);
            }
            if (how) {
                adam_row(kept + r * k * V, w + row, m + row, v + row, k * V, *how);
            } else {
                memcpy(dw + row, kept + r * k * V, 4 * k * V);
            }
        }
    }
}

/* section: backward */
/* Adam's step of n weights without a gradient */
static void step_without(float *w, float *m, float *v, int n, adam c) {
    static const float none[V];
    for (int j = 0; j < n; j += V) {
        adam_row(none, w + j, m + j, v + j, V, c);
    }
}

void linear_backward(const float *g, const int *rows, const float *x, float *w, float *dw, float *m, float *v,
                     float *dx, const adam *how, int images, int live, int outs, int ins, int threads);

/* g: (images, live), of the outputs rows[0] to rows[live - 1]; the others have no gradient; x, dx: (images,
 * ins); w, dw, m, v: (outs, ins); ins divisible by V. With `how` a step of Adam on w, m, v; without, dw is
 * written; dx may be null */
void linear_backward(const float *g, const int *rows, const float *x, float *w, float *dw, float *m, float *v,
                     float *dx, const adam *how, int images, int live, int outs, int ins, int threads) {
    (void)threads; /* without OpenMP there is one */
    int whole = ins / (WIDTH * V);
    int all[images];
    for (int i = 0; i < images; i++) {
        all[i] = i;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int i = 0; i < whole; i++) {
        size_t j = (size_t)i * WIDTH * V;
        columns(g, rows, all, x + j, w + j, dw + j, m + j, v + j, dx ? dx + j : dx, how, images, live, ins,
                i + 1 < whole ? WIDTH * V : 0, WIDTH);
    }
    for (int j = whole * WIDTH * V; j < ins; j += V) {
        columns(g, rows, all, x + j, w + j, dw + j, m + j, v + j, dx ? dx + j : dx, how, images, live, ins, 0,
                1);
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int i = live; i < outs; i++) {
        size_t row = (size_t)rows[i] * ins;
        if (how) {
            step_without(w + row, m + row, v + row, ins, *how);
        } else {
            memset(dw + row, 0, 4 * (size_t)ins);
        }
    }
}
