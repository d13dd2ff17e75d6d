"A trained model on a machine without PyTorch. All modules but `export` and those behind it need the extra `predict` alone."
from ..common.extras import PREDICT, require_study

require_study(__name__, tuple(n for n in PREDICT if n != 'onnxruntime'), 'predict') # OpenVINO may stand in for it
