"C kernels for training. Importing any part registers all of them with `common.dispatch`; only what stands behind this wing imports it."
from . import augment, block, linear # each registers its fast path
