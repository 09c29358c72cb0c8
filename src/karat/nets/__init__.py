"""Neural network modules, their losses, and the one training loop: tensors in, tensors out.

Nothing here knows about frames, views or files; `karat.models` wraps these modules as forecasters. Importing this
package imports torch (the extra `nets`).
"""

from karat.nets._count import count_parameters
from karat.nets._fit import FitLog, FitPlan, fit_module
from karat.nets._losses import pinball_loss
from karat.nets._patch_transformer import PatchSize, PatchTransformer, patch_count
from karat.nets._state_classifier import StateClassifier
from karat.nets._threads import one_thread

__all__ = [
    "FitLog",
    "FitPlan",
    "PatchSize",
    "PatchTransformer",
    "StateClassifier",
    "count_parameters",
    "fit_module",
    "one_thread",
    "patch_count",
    "pinball_loss",
]
