"""Arguments of another kind at the doors of features, regimes and the store: errors name the argument and the fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from features_factory import panel

from karat.core import InputError
from karat.data import asof_join, check_quality, resample
from karat.features import build, check_invariance
from karat.features.regimes import as_train, label, make_regime
from karat.features.store import FeatureStore
from karat.labels import make_labels

WHOLE = panel(60)
FRAME, DAY = WHOLE.frame, "2010-01-01"
INSTANT = "UTC nanoseconds, a whole number; karat.core.to_ns makes one of a date"
TABLE = (
    r"got 'DataFrame'; allowed: a Panel; load\('frame', frame=..., instrument=..., licence=...\) makes one of a table"
)
SELECTION = r"allowed: tiers, features and FeatureSpecs, e.g. \['a20', '-gap'\]"


def store_of(folder: Path) -> FeatureStore:
    store = FeatureStore(folder)
    store.features(WHOLE, ["ret_1"])
    return store


def keys(**columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame({"time": [1], "instrument": ["A.XNYS"]} | columns)


MISTAKES: dict[str, tuple[Callable[[FeatureStore], Any], str]] = {
    "a table for a panel": (lambda _: build(FRAME, "a20"), rf"panel: {TABLE}"),
    "no selection": (lambda _: build(WHOLE, None), rf"features: got 'NoneType'; {SELECTION}"),
    "arguments exchanged": (lambda _: build("a20", WHOLE), rf"features: got 'Panel'; {SELECTION}"),
    "a number for a feature": (lambda _: build(WHOLE, [5]), rf"features: got \[5\]; {SELECTION}"),
    "a table to check": (lambda _: check_invariance(FRAME, "a20"), rf"panel: {TABLE}"),
    "a table to join": (lambda _: asof_join(WHOLE, FRAME), rf"right: {TABLE}"),
    "one word for columns": (
        lambda _: asof_join(WHOLE, WHOLE, columns="close"),
        r"columns: got 'close'; allowed: a list or a mapping; write columns=\['close'\]",
    ),
    "a table to resample": (lambda _: resample(FRAME, "week"), rf"panel: {TABLE}"),
    "a table to judge": (lambda _: check_quality(FRAME), rf"panel: {TABLE}"),
    "a table of labels": (lambda _: make_labels(FRAME, "1d"), rf"panel: {TABLE}"),
    "a table to label": (lambda _: label(FRAME, "volatility"), rf"panel: {TABLE}"),
    "a panel for a regime": (lambda _: label("volatility", WHOLE), "regime: got 'Panel'; allowed: volatility"),
    "a date to learn until": (lambda _: label(WHOLE, "volatility", train_until=DAY), f"train_until: .*{INSTANT}"),
    "a date to train until": (lambda _: as_train(WHOLE, DAY), f"until_ns: got '2010-01-01'; allowed: {INSTANT}"),
    "a panel to fit": (
        lambda _: make_regime("volatility", refits=None).fit(WHOLE),
        r"train: got 'Panel'; allowed: a Train view; as_train\(panel, until_ns\) makes one",
    ),
    "a word for a value": (
        lambda _: make_regime("vix").step(5, {"vix": "high"}),
        "row.vix: got 'high'; allowed: a number, NaN where it is missing",
    ),
    "a time that is none": (lambda _: make_regime("vix").step(1.5, {"vix": 20.0}), f"ts: got 1.5; allowed: {INSTANT}"),
    "a table to keep": (lambda store: store.features(FRAME, "a20"), rf"panel: {TABLE}"),
    "a date of history": (lambda store: store.history(["ret_1"], "A.XNYS", at_ns=DAY), f"at_ns: .*{INSTANT}"),
    "a date to publish": (lambda store: store.publish(["ret_1"], at_ns=DAY), f"at_ns: .*{INSTANT}"),
    "a date of arrival": (lambda store: store.features(WHOLE, ["ret_1"], arrived_ns=DAY), f"arrived_ns: .*{INSTANT}"),
    "a date to serve at": (lambda store: store.serve(["ret_1"], "A.XNYS", now_ns=DAY), f"now_ns: .*{INSTANT}"),
    "a mapping of keys": (lambda store: store.as_of({}, ["ret_1"]), "keys: got 'dict'; allowed: a Polars frame with"),
    "keys that are dates": (
        lambda store: store.as_of(keys(time=[DAY]), ["ret_1"]),
        r"keys.time: got 'String'; allowed: Int64, UTC ns; cast times, e.g. pl.col\('time'\).dt.epoch\('ns'\)",
    ),
    "keys with a column of the answer": (
        lambda store: store.as_of(keys(ret_1=[0.5]), ["ret_1"]),
        r"keys: got \['ret_1'\]; the answer has these columns too; rename or drop them",
    ),
    "one selection to keep": (lambda store: store.prune(keep="a20"), r"keep: got 'a20'; .*; write keep=\['a20'\]"),
    "a row that is none": (lambda store: store.push(["ret_1"], 5), "row: got 'int'; allowed: Served"),
}


@pytest.mark.parametrize(("mistake", "said"), MISTAKES.values(), ids=MISTAKES)
def test_an_argument_of_another_kind_is_named(
    mistake: Callable[[FeatureStore], Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        mistake(store_of(tmp_path))
