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

/* section: bytes */
enum {
    BLOCK = 4 * V, /* inputs whose bytes lie in one vector of integers: byte q of lane l is number q * V + l */
    AT_ONCE = 8    /* rows of W that share each vector of x */
};

/* rows of bytes as blocks, what is missing to a whole block 0 */
void pack_bytes(const int8_t *w, int32_t *packed, int inputs, int outputs) {
    size_t n = inputs, blocks = (n + BLOCK - 1) / BLOCK;
    for (size_t o = 0; o < (size_t)outputs; o++) {
        for (size_t k = 0; k < blocks * BLOCK; k++) {
            uint32_t byte = k < n ? (uint8_t)w[o * n + k] : 0;
            packed[(o * blocks + k / BLOCK) * V + k % V] |= (int32_t)(byte << 8 * (k % BLOCK / V));
        }
    }
}

/* section: byte products */
/* adds to s the products of a block of x with that of r rows of W, `blocks` apart */
INLINE void block_products(const float *x, const ints *w, vec *s, size_t blocks, const int r) {
    EACH(q, 4) {
        vec v = at(x + q * V);
        EACH(j, r) {
            ints u = w[j * blocks] << (24 - 8 * q) >> 24; /* the sign comes along */
            s[j] += v * __builtin_convertvector(u, vec);
        }
    }
}

/* y: the products of one row of x with r rows of W, whose numbers are bytes times a scale */
INLINE void byte_products(const float *x, const ints *w, const float *scale, float *y, size_t inputs, const int r) {
    size_t blocks = (inputs + BLOCK - 1) / BLOCK, whole = inputs / BLOCK;
    vec s[AT_ONCE] = {};
    for (size_t k = 0; k < whole; k++) {
        block_products(x + k * BLOCK, w + k, s, blocks, r);
    }
    if (whole < blocks) {
        float last[BLOCK] = {0};
        memcpy(last, x + whole * BLOCK, (inputs - whole * BLOCK) * sizeof *x);
        block_products(last, w + whole, s, blocks, r);
    }
    EACH(j, r) {
        y[j] += total(s[j]) * scale[j];
    }
}

/* section: byte rows */
/* rows from `first` to `last` of one image */
INLINE void byte_rows(const float *x, const ints *w, const float *scale, const float *b, float *y, size_t inputs,
                      size_t first, size_t last, int relu) {
    size_t o = first, blocks = (inputs + BLOCK - 1) / BLOCK;
    memcpy(y + first, b + first, (last - first) * sizeof *b);
    for (; o + AT_ONCE <= last; o += AT_ONCE) {
        byte_products(x, w + o * blocks, scale + o, y + o, inputs, AT_ONCE);
    }
    for (; o < last; o++) {
        byte_products(x, w + o * blocks, scale + o, y + o, inputs, 1);
    }
    for (o = first; relu && o < last; o++) {
        y[o] = y[o] < 0 ? 0 : y[o];
    }
}

/* each thread has rows of its own, as above */
void dense_bytes(const float *x, const int32_t *w, const float *scale, const float *b, float *y, int images, int inputs,
                 int outputs, int relu, int threads) {
    size_t n = inputs, m = outputs, whole = (m + AT_ONCE - 1) / AT_ONCE;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++) {
        size_t first = whole * t / threads * AT_ONCE, last = whole * (t + 1) / threads * AT_ONCE;
        last = last < m ? last : m;
        for (int i = 0; i < images && first < last; i++) {
            byte_rows(x + i * n, (const ints *)w, scale, b, y + i * m, n, first, last, relu);
        }
    }
}
