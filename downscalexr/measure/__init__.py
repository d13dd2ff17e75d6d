from ..common.extras import require_study

require_study(__name__)
