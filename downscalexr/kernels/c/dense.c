/* A linear layer for images that are only scored: y = x W^T + b, rectified or not.
 *
 * Rows of x and W lie along their inputs, so a product of two rows is a sum over vectors of both. A tile is
 * ROWS rows of W and some rows of x, whose sums stay in registers over a span of inputs. The spans of GROUP
 * images are copied together first, so that a tile finds its rows at fixed distances.
 */
#include "vectors.h"

/* section: tile */
enum {
    SPAN = 2048,                      /* inputs at a time, a multiple of V */
    GROUP = 32,                       /* images at a time: their spans stay in the second cache */
    IMAGES = REGISTERS == 32 ? 8 : 4, /* rows of x in a tile */
    ROWS = REGISTERS == 32 ? 3 : 2    /* rows of W in a tile: all sums and their terms fit the registers */
};

/* adds to y the products of n rows of x, SPAN apart, with r rows of W, `inputs` apart, over a span;
 * fetch: the rows of W that come next, too, since they lie too far apart for the processor to guess */
INLINE void products(const float *x, const float *w, float *y, size_t inputs, size_t outputs, int span, const int n,
                     const int r, const int fetch) {
    vec s[IMAGES][ROWS];
    EACH(i, n) {
        EACH(j, r) {
            s[i][j] = (vec){};
        }
    }
    int k = 0;
    for (; k + V <= span; k += V) {
        vec u[ROWS];
        EACH(j, r) {
            u[j] = at(w + j * inputs + k);
            HELD(u[j]);
            if (fetch) {
                __builtin_prefetch(w + (j + r) * inputs + k);
            }
        }
        EACH(i, n) {
            vec v = at(x + i * SPAN + k);
            HELD(v);
            EACH(j, r) {
                s[i][j] += v * u[j];
            }
        }
    }
    EACH(i, n) {
        EACH(j, r) {
            float sum = total(s[i][j]);
            for (int l = k; l < span; l++) {
                sum += x[i * SPAN + l] * w[j * inputs + l];
            }
            y[i * outputs + j] += sum;
        }
    }
}

/* section: rows */
/* r rows of W with all images of a group */
INLINE void rows(const float *x, const float *w, float *y, size_t inputs, size_t outputs, int span, int images,
                 const int r) {
    int i = 0;
    if (images >= IMAGES) {
        products(x, w, y, inputs, outputs, span, IMAGES, r, 1);
        i = IMAGES;
    }
    for (; i + IMAGES <= images; i += IMAGES) {
        products(x + i * SPAN, w, y + i * outputs, inputs, outputs, span, IMAGES, r, 0);
    }
    for (; i + 2 <= images; i += 2) {
        products(x + i * SPAN, w, y + i * outputs, inputs, outputs, span, 2, r, 0);
    }
    if (i < images) {
        products(x + i * SPAN, w, y + i * outputs, inputs, outputs, span, 1, r, 1);
    }
}

/* rows of W from `first` to `last` with a group of images over a span */
INLINE void tiles(const float *x, const float *w, float *y, size_t inputs, size_t outputs, int span, int images,
                  size_t first, size_t last) {
    size_t o = first;
    for (; o + ROWS <= last; o += ROWS) {
        rows(x, w + o * inputs, y + o, inputs, outputs, span, images, ROWS);
    }
    for (; o < last; o++) {
        rows(x, w + o * inputs, y + o, inputs, outputs, span, images, 1);
    }
}

/* section: forward */
/* each thread has rows of W of its own, so that no two write one sum and their number changes no bit */
void dense(const float *x, const float *w, const float *b, float *y, int images, int inputs, int outputs, int relu,
           int threads) {
    size_t n = inputs, m = outputs, whole = (m + ROWS - 1) / ROWS;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++) {
        float part[GROUP * SPAN];
        size_t first = whole * t / threads * ROWS, last = whole * (t + 1) / threads * ROWS;
        last = last < m ? last : m;
        for (int g = 0; g < images; g += GROUP) {
            int some = images - g < GROUP ? images - g : GROUP;
            float *to = y + g * m;
            for (int i = 0; i < some; i++) {
                memcpy(to + i * m + first, b + first, (last - first) * sizeof *b);
            }
            for (size_t k = 0; k < n; k += SPAN) {
                int span = n - k < SPAN ? (int)(n - k) : SPAN;
                for (int i = 0; i < some; i++) {
                    memcpy(part + i * SPAN, x + (g + i) * n + k, span * sizeof *x);
                }
                tiles(part, w + k, to, n, m, span, some, first, last);
            }
            for (int i = 0; relu && i < some; i++) {
                for (size_t o = first; o < last; o++) {
                    to[i * m + o] = to[i * m + o] < 0 ? 0 : to[i * m + o]; /* NaN stays NaN */
                }
            }
        }
    }
}
