"""`stress`: what filtered labels said of known crises, beside a quantile of the VIX."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from market_jobs import Asked

from karat.data import Panel, load
from karat.features.regimes import STRESSED, RegimeFrame, describe, label, misses, stress_table
from regime_jobs import _series

SEEDS = range(5)


def vix_labels(panel: Panel) -> RegimeFrame | None:
    """Return the baseline's labels of a panel's days, None without the folder of real data."""
    root = _series.folder()
    path = None if root is None else root / "vix" / "vix-daily.csv.gz"
    if path is None or not path.is_file():
        return None
    # the index is known a quarter of an hour after the shares' close
    vix = load(
        "csv",
        path=path,
        licence="PDDL",
        instrument="VIX.INDEX",
        off_session="drop",
        columns={"CLOSE": "vix"},
        lag="15m",
    )
    found = label(vix, "vix_high")
    values = found.frame.select("known_at", "state", "name", "probability").sort("known_at")
    frame = panel.frame.select("ts", "known_at", "instrument").join_asof(values, on="known_at", strategy="backward")
    return RegimeFrame("vix_high", found.states, frame)


def facts(asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield the table of crises for each series and seed, and for the baseline."""
    for dataset in ("nasdaq", "sp500"):
        panel = load("bundled", dataset=dataset)
        sides: list[tuple[str, RegimeFrame | None, tuple[str, ...]]] = [("vix_high", vix_labels(panel), ("high",))]
        for seed in SEEDS[:1] if asked.quick else SEEDS:
            sides.append((f"hidden, seed {seed}", label(panel, "hidden", seed=seed), STRESSED))
        for name, labels, stressed in sides:
            line: dict[str, Any] = {"job": "stress", "series": dataset, "regime": name}
            if labels is None:
                yield line | {"not_run": "KARAT_DATA names no folder with vix/vix-daily.csv.gz"}
                continue
            table = stress_table(labels, stressed)
            shares = describe(labels).states["share"].to_list()
            rounded = {key: round(value, 4) for key, value in table.items()}
            yield line | rounded | {"shares": [round(value, 3) for value in shares], "missed": misses(table)}
