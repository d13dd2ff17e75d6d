from ..common.extras import TORCH, require_study

require_study(__name__, TORCH, 'torch')
