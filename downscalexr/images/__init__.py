from ..common.extras import IMAGES, require_study

require_study(__name__, IMAGES)
