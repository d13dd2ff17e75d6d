from ..common.extras import require_study

require_study(__name__, ('PIL',), 'predict') # its door `data` needs the extra `study`; reading a file does not
