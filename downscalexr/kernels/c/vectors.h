/* Vectors of floats for GCC and Clang, and what all C kernels do with them. */
#ifndef DOWNSCALEXR_VECTORS_H
#define DOWNSCALEXR_VECTORS_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* section: types */
#ifdef __AVX512F__
#define V 16 /* floats in a vector */
#define REGISTERS 32
#define HELD(v) __asm__("" : "+v"(v)) /* keeps v in a register: loaded once, not with every product */
#else
#define V 8
#define REGISTERS 16
#ifdef __AVX__
#define HELD(v) __asm__("" : "+x"(v))
#else
#define HELD(v)
#endif
#endif
typedef float vec __attribute__((vector_size(4 * V), aligned(4)));
typedef int32_t ints __attribute__((vector_size(4 * V), aligned(4)));
typedef uint8_t bytes __attribute__((vector_size(V), aligned(1)));

/* section: macros */
#define UP(n) (((n) + V - 1) / V * V) /* the next multiple of V */
#define INLINE static inline __attribute__((always_inline))
#define SHARED static __attribute__((unused)) /* a function that not every variant of a kernel calls */
#define UNROLL _Pragma("GCC unroll 16")
#define EACH(i, n) UNROLL for (int i = 0; i < (n); i++) /* an unrolled loop, i from 0 to n - 1 */

/* section: threads */
#ifdef _OPENMP /* declared here: PyTorch brings the library, some compilers lack the header */
int omp_get_thread_num(void);
#define thread() (size_t)omp_get_thread_num()
#else
#define thread() (size_t)0
#endif

/* section: loading and choosing */
INLINE vec at(const float *p) {
    return *(const vec *)p;
}

INLINE void put(float *p, vec v) {
    *(vec *)p = v;
}

/* the sum of all floats of v */
INLINE float total(vec v) {
    UNROLL
    for (int n = V / 2; n; n /= 2) {
        EACH(i, n) {
            v[i] += v[i + n];
        }
    }
    return v[0];
}

/* where yes (-1) a, elsewhere (0) b */
INLINE vec pick(ints yes, vec a, vec b) {
    return (vec)(((ints)a & yes) | ((ints)b & ~yes));
}

/* ReLU; NaN stays NaN */
INLINE vec rectified(vec v) {
    return (vec)((ints)v & ~(v < 0));
}

/* section: even and odd places */
#ifdef __clang__
#define MIXED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define MIXED(a, b, ...) __builtin_shuffle(a, b, (ints){__VA_ARGS__})
#endif
#if V == 16
#define EVEN(a, b) MIXED(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(a, b) MIXED(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define LOW(a, b) MIXED(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) MIXED(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define COUNT ((ints){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
#else
#define EVEN(a, b) MIXED(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(a, b) MIXED(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define LOW(a, b) MIXED(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) MIXED(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define COUNT ((ints){0, 1, 2, 3, 4, 5, 6, 7})
#endif

/* section: bytes */
#if V == 16 || defined(__clang__)
INLINE void put_bytes(uint8_t *p, ints k) {
    *(bytes *)p = __builtin_convertvector(k, bytes);
}
#else /* GCC would take them out one by one */
typedef uint8_t many __attribute__((vector_size(32), aligned(1)));
INLINE void put_bytes(uint8_t *p, ints k) {
    many low = __builtin_shuffle((many)k, (many){0, 4, 8, 12, 16, 20, 24, 28});
    memcpy(p, &low, 8);
}
#endif
#endif
