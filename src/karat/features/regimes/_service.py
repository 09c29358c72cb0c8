"""One door for all labels: a panel in, a state of every row out, each instrument by itself.

Invariants:
1. Rows are the panel's rows in its order; a state is known at its row's `known_at`.
2. Instruments never mix, but for the market's return that `rotation` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from karat.data import KEYS, Panel, check_panel
from karat.features._rows import check_instant
from karat.features.regimes._bands import Edges
from karat.features.regimes._inputs import as_train, with_market
from karat.features.regimes._measures import MARKET
from karat.features.regimes._model import Refits
from karat.features.regimes._registry import make_regime, spec_of


@dataclass(frozen=True, eq=False)
class RegimeFrame:
    """Labels of a panel.

    frame: ts, known_at, instrument, then state (Int64, null where there is none), name (String, null likewise) and
    probability (Float64, that the model gives the state; 1 for bands). states: names by code.
    """

    regime: str
    states: tuple[str, ...]
    frame: pl.DataFrame


def label(
    panel: Panel,
    regime: str,
    *,
    train_until: int | None = None,
    seed: int = 42,
    bands: Edges | None = None,
    refits: Refits | Literal["default"] | None = "default",
) -> RegimeFrame:
    """Label every row of a panel.

    train_until: UTC ns; the rows known by then are what each instrument's model is fitted on first. Without it, a model
    with refits follows each series' own past and has no state before its first fit, which waits until the series
    has rows enough and varies. Others as in `make_regime`.

    Raises:
        InputError: as `make_regime`; a missing column, a model that needs `train_until`, or an instrument that by then
            has too few rows or has not varied.
        DataError: `known_at` runs back within an instrument, and a state reads earlier rows.
    """
    spec = spec_of(regime)
    check_panel(panel)
    if train_until is not None:
        check_instant(train_until, "train_until")
    panel = with_market(panel) if MARKET in spec.measure.columns else panel
    codes, probabilities = np.full(len(panel.frame), -1, dtype=np.int64), np.full(len(panel.frame), np.nan)
    names = panel.frame["instrument"]
    for instrument in panel.instruments:
        mine = (names == instrument).to_numpy()
        part = Panel(panel.frame.filter(pl.Series(mine)), panel.calendar, panel.provenance, panel.notes)
        model = make_regime(regime, seed=seed, bands=bands, refits=refits)
        if train_until is not None:
            model.fit(as_train(part, train_until))
        codes[mine], probabilities[mine] = model.filter(part)
    state = pl.Series("state", codes)
    texts = pl.Series("name", [spec.states[code] if code >= 0 else None for code in codes.tolist()], dtype=pl.String)
    frame = panel.frame.select(KEYS).with_columns(
        state.set(state < 0, None), texts, pl.Series("probability", probabilities)
    )
    return RegimeFrame(regime, spec.states, frame)
