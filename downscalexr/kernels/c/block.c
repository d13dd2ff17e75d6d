/* Convolution, ReLU and pooling as one pass over the image, forward and back.
 *
 * Constants, given to the compiler with -D:
 *   CIN, COUT, K, S  channels in and out, side of the convolution, stride (1 or 2)
 *   POOL             0 none, 1 average, 2 maximum, of 2 x 2 values
 *   WINOGRAD         1: eight products for four rows of the map (winograd.h), 0: directly (direct.h)
 *   SPARSE           1: the backward pass visits only values that have a gradient (sparse.h)
 *   OB, XB           outputs and vectors of a tile, forward
 *   GB               outputs of a part of the weights' gradient
 *   CB, BB           inputs and vectors of a tile, backward
 *   SCORE            1: nobody asks for a gradient, and no mask is written; 0 where it is not given
 *   GROUP            images whose weight gradients one thread adds up
 *   SPANS, SPAN      vectors in a row of a patch: SPANS times SPAN
 */
#include "vectors.h"
#include "block.h"
#if WINOGRAD
#include "winograd.h"
#else
#include "direct.h"
#endif
#if SPARSE
#include "sparse.h"
#endif
