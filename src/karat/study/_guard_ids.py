"""Static identity: does anything that a model reads, or the source of a model, tell instruments apart?

Invariants:
1. karat's own rooms are scanned with the allow list below, each place with its reason; a plug-in has no allow list,
   only the mark `# id: REASON` on a line.
2. The scale of an instrument is known to be in karat's own volatility, volume and price columns, and in what the fixed
   thresholds of a regulator make of them: they are named with their bits and do not decide. Its returns and trends in
   fractions of a price carry the same scale, and decide by what they say beyond it. A column that a plug-in computes or
   a source brings always decides in full.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

import karat
from karat.core import NS_PER_DAY, InputError
from karat.data import horizon_bars
from karat.evidence import Check, IdHit, id_probe, identity_check, regime_check, scan_source
from karat.features import FEATURES, FeatureSpec
from karat.study._plugins import GROUPS
from karat.study._prepare import Prepared, last_selection

ROOMS: Final = ("features", "labels", "models", "nets", "portfolio")
ALLOWED: Final[Mapping[str, str]] = {
    "features/_rows.py::instrument_codes": "the code of a table is a routing key",
    "features/_build.py::table": "the code of a table is a routing key",
    "features/_context.py": "which instruments a join speaks for",
    "features/_dataset.py::_check_single": "counts instruments",
    "features/_select.py::_empty_in": "names instruments in an error",
    "features/_stream.py::_panels": "reads a few instruments at a time",
    "features/_stream.py::resolve_file": "which columns an instrument has no value in",
    "features/regimes/_describe.py::cross_table": "two labels of the same row",
    "features/regimes/_describe.py::describe": "a spell ends with its instrument",
    "features/regimes/_inputs.py::columns_of": "counts instruments",
    "features/regimes/_inputs.py::with_market": "counts instruments",
    "features/regimes/_overrides.py::changes": "keys of the log",
    "features/regimes/_service.py::label": "one model an instrument",
    "features/store/_keys.py": "keys of the values",
    "features/store/_offline.py": "a folder an instrument",
    "features/store/_online.py": "keys of the values",
    "features/store/_skew.py::skew_of": "rows of the same instrument",
    "features/store/_store.py": "keys of the values",
    "labels/_make.py::_one": "keys of the label frame",
    "labels/_views.py::_table_rows": "joins labels to rows",
    "models/_arima.py::_fit": "one ARIMA an instrument",
    "models/_arima.py::_starts_late": "where an instrument begins",
    "models/_arima.py::_sums": "one ARIMA an instrument",
    "models/_climatology.py::_fit": "one distribution an instrument, a baseline",
    "models/_climatology.py::_predict": "one distribution an instrument, a baseline",
    "models/_garch_t.py::_filter": "one GARCH an instrument, a baseline",
    "models/_garch_t.py::_fit": "one GARCH an instrument, a baseline",
    "models/_scale.py::ewma_variance": "where an instrument begins",
    "models/contract.py": "the contract renames instruments to prove that nothing changes",
    "portfolio/_policy.py::_check_once": "names rows in an error",
    "portfolio/_policy.py::to_positions": "keys of the positions",
    "portfolio/_positions.py": "keys of the positions",
}
"""Places in karat where an identity only routes, with the reason."""
_SCALED: Final = frozenset({"volatility", "volume", "raw", "regulatory"})
_RETURNS: Final = frozenset({"price", "trend"})
_SHOWN: Final = 5


def scan_for_static_ids(codebase_path: Path, allowlist: Mapping[str, str] | None = None) -> list[IdHit]:
    """Return the hits of every Python file below a folder, or of one file; the allow list maps places to reasons.

    Raises:
        InputError: no such path, or a source that does not parse.
    """
    root = Path(codebase_path)
    if not root.exists():
        raise InputError("codebase_path", str(root), why="no such file or folder", fix="name a folder of sources")
    files = sorted(root.rglob("*.py")) if root.is_dir() else [root]
    hits: list[IdHit] = []
    for file in files:
        where = file.relative_to(root).as_posix() if root.is_dir() else file.name
        hits += scan_source(file.read_text(encoding="utf-8"), where, allow=allowlist or {})
    return hits


def scan_check(plugins: Sequence[str]) -> Check:
    """Return the check that no source of karat's rooms or of a plug-in's package makes a number of an identity."""
    package = Path(karat.__file__).parent
    hits = [
        hit
        for room in ROOMS
        for file in sorted((package / room).rglob("*.py"))
        for hit in scan_source(file.read_text(encoding="utf-8"), file.relative_to(package).as_posix(), allow=ALLOWED)
    ]
    for place in _packages(plugins):
        hits += scan_for_static_ids(place)
    text = "; ".join(str(hit) for hit in hits[:_SHOWN])
    return Check("static ids in source", float(len(hits)), "no mention but routing", not hits, text)


def column_checks(prepared: Prepared, origins: Mapping[str, FeatureSpec], *, seed: int) -> tuple[Check, Check]:
    """Return the checks that no feature, no time of day and no delay tells instruments apart, and no regime at all.

    origins: what computed each column.
    """
    table = prepared.table
    columns = {name: np.ascontiguousarray(table.features[:, k]) for k, name in enumerate(table.names)}
    regimes = {name: columns.pop(name) for name in table.names if "regime" in name}
    columns |= {"time of day of ts": (table.ts % NS_PER_DAY).astype(np.float64)}
    columns |= {"delay of known_at": (table.known_at - table.ts).astype(np.float64)}
    own = {name: spec for name, spec in origins.items() if FEATURES.get(spec.name) is spec}
    known = {name: "scale" for name, spec in own.items() if spec.category in _SCALED}
    scaled = [name for name, spec in own.items() if spec.category in _RETURNS and spec.unit.startswith("fraction")]
    return (
        identity_check(columns, table.code, table.ts, known=known, scaled=scaled, seed=seed),
        regime_check(regimes, table.code, table.ts, seed=seed),
    )


def probe_check(prepared: Prepared, horizon: str) -> Check:
    """Return the check that an instrument's identity alone earns nothing, on the last selection fold."""
    train, valid = last_selection(prepared, horizon)
    code, judged = train.table.code[train.rows], valid.table.code[valid.rows]
    apart = horizon_bars(horizon)
    return id_probe(train.labels.value, code, valid.labels.value, judged, valid.ts, horizon_bars=apart)


def _packages(plugins: Sequence[str]) -> list[Path]:
    """Return the folders, or single files, of the packages that offer the named plug-ins."""
    found = set()
    for group in GROUPS:
        for point in importlib.metadata.entry_points(group=group):
            spec = importlib.util.find_spec(point.module.partition(".")[0]) if point.name in plugins else None
            if spec is not None and spec.submodule_search_locations:
                found |= {Path(place) for place in spec.submodule_search_locations}
            elif spec is not None and spec.origin:
                found.add(Path(spec.origin))
    return sorted(found)
