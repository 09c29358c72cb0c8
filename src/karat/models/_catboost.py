"""`catboost`: boosting by CatBoost, on one thread. Saved as CatBoost's own JSON. Comes with the extra `boost`."""

from __future__ import annotations

from karat.core import require
from karat.models._boosting import Boosting, Task
from karat.models._types import Floats


class CatBoost(Boosting):
    """Symmetric trees; parameters as those of `lightgbm`, a tree having at least `leaves` leaves (a power of two).

    Raises at `fit` and `predict`:
        MissingExtraError: CatBoost is not installed.
    """

    name = "catboost"

    def _grow(self, task: Task) -> str:
        require("catboost", "boost")
        raise AssertionError

    def _evaluate(self, text: str, x: Floats) -> Floats:
        raise AssertionError
