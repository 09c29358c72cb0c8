"""What is predicted and on which rows: labels with their spans, classes, purged splits, and the views of a fold.

`make_labels` gives forward returns with the span each looks at, a splitter cuts the labelled rows so that no span
crosses a cut, `check_purged` proves it, and `views` turns a fold into the `Train`, `Valid` and `Test` a model may see.
"""

from karat.labels._chunks import ChunkSplitter
from karat.labels._classes import THRESHOLDS, classify, threshold_target
from karat.labels._combinatorial import CombinatorialPurgedKFold
from karat.labels._fold import Fold, Splitter, check_purged, window_log
from karat.labels._kfold import GapKFold, PurgedKFold
from karat.labels._make import LabelFrame, make_labels
from karat.labels._sklearn import CrossValidator
from karat.labels._views import usable, views
from karat.labels._walk_forward import WalkForward

__all__ = [
    "THRESHOLDS",
    "ChunkSplitter",
    "CombinatorialPurgedKFold",
    "CrossValidator",
    "Fold",
    "GapKFold",
    "LabelFrame",
    "PurgedKFold",
    "Splitter",
    "WalkForward",
    "check_purged",
    "classify",
    "make_labels",
    "threshold_target",
    "usable",
    "views",
    "window_log",
]
