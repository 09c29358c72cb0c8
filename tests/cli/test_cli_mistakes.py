"""Forty things users get wrong: each message names the field, the value seen, what is allowed and the fix; exit 2."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from karat.cli._app import app

BASE: dict[str, Any] = {
    "name": "mistakes",
    "data": {"source": "synthetic", "params": {"seed": 3, "n_days": 900}},
    "features": ["ret_1", "signal"],
    "splits": {"test_frac": 0.4, "select_folds": 1, "test_folds": 1, "valid_bars": 60},
    "models": [{"name": "linear_quantile"}],
}


def at(path: str, value: Any) -> Callable[[dict[str, Any], Path], None]:
    """Return an edit that sets a dotted path."""

    def edit(study: dict[str, Any], _folder: Path) -> None:
        *parents, last = path.split(".")
        place: Any = study
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value

    return edit


def csv(text: str, **params: Any) -> Callable[[dict[str, Any], Path], None]:
    """Return an edit that makes the source a CSV file with this text."""

    def edit(study: dict[str, Any], folder: Path) -> None:
        (folder / "prices.csv").write_text(text, encoding="utf-8")
        settings = {"path": str(folder / "prices.csv"), "instrument": "ABC.XNYS", "licence": "own data"} | params
        study["data"] = {"source": "csv", "params": settings}
        study["features"] = ["ret_1"]

    return edit


def days(n: int = 30, **columns: Any) -> str:
    """Return CSV text of n sessions with one column replaced."""
    from karat.data import sessions

    dates = [str(day) for day in sessions("XNYS", "2015-01-02", "2015-12-31")["date"].to_list()[:n]]
    values: dict[str, Any] = {name: [100.0 + k for k in range(n)] for name in ("open", "high", "low", "close")}
    frame = pl.DataFrame({"date": dates, **values, "volume": [1e6] * n})
    for name, change in columns.items():
        rows = frame[name].to_list()
        for index, value in change.items():
            rows[index] = value
        frame = frame.with_columns(pl.Series(name, rows))
    return frame.write_csv()


def swapped(n: int = 30) -> str:
    """Return CSV text with two rows in the wrong order."""
    lines = days(n).splitlines()
    lines[5], lines[6] = lines[6], lines[5]
    return "\n".join(lines)


def twice(n: int = 30) -> str:
    """Return CSV text with one row repeated."""
    lines = days(n).splitlines()
    return "\n".join([*lines[:6], lines[5], *lines[6:]])


NAIVE = "timestamp,close\n2015-01-02 09:30:00,100\n2015-01-02 10:30:00,101\n"

MISTAKES: list[tuple[str, Callable[[dict[str, Any], Path], None], list[str]]] = [
    ("typo in a key", at("horizonz", ["1d"]), ["horizonz", "unknown key", "did you mean 'horizons'"]),
    ("typo in a nested key", at("splits.test_fracs", 0.3), ["splits.test_fracs", "unknown key", "test_frac"]),
    ("typo in a model's key", at("models.0.parms", {}), ["models.0.parms", "unknown key", "params"]),
    ("unknown horizon", at("horizons", ["4d"]), ["horizons.0", "4d", "1d"]),
    ("primary horizon not run", at("primary_horizon", "5d"), ["primary_horizon", "5d", "1d"]),
    ("horizon twice", at("horizons", ["1d", "1d"]), ["horizons", "repeats"]),
    ("unknown model", at("models.0.name", "linear_quantil"), ["linear_quantil", "linear_quantile"]),
    ("unknown model parameter", at("models.0.params", {"depht": 3}), ["depht"]),
    ("model listed twice", at("models", [{"name": "lightgbm"}] * 2), ["models", "twice"]),
    ("no models", at("models", []), ["models", "at least 1"]),
    ("unknown feature", at("features", ["rsi_41"]), ["rsi_41", "did you mean"]),
    ("unknown tier", at("features", ["a21"]), ["a21", "a20"]),
    ("feature without its column", at("features", ["vix_close"]), ["vix"]),
    ("unknown source", at("data.source", "yahoo"), ["source", "yahoo", "bundled"]),
    ("typo in a source", at("data.source", "bundeld"), ["bundeld", "did you mean 'bundled'"]),
    ("unknown source parameter", at("data.params", {"sed": 3}), ["sed", "seed"]),
    ("unknown dataset", at("data", {"source": "bundled", "params": {"dataset": "nasdack"}}), ["nasdack", "nasdaq"]),
    ("no data in range", at("data.start", "2090-01-01"), ["2090-01-01", "no data"]),
    ("end before start", at("data", BASE["data"] | {"start": "2007-01-01", "end": "2006-01-01"}), ["2006-01-01"]),
    ("a date that is none", at("data.start", "2015-13-01"), ["data.start", "2015-13-01"]),
    ("too few test dates for the folds", at("splits.test_folds", 50), ["bars"]),
    ("valid longer than the data", at("splits.valid_bars", 5000), ["bars"]),
    ("horizon longer than the data", at("data.params", {"seed": 3, "n_days": 25}), []),
    ("test share above one", at("splits.test_frac", 1.5), ["splits.test_frac", "1.5", "less than 1"]),
    ("negative cost", at("market.proportional_bps", -1), ["market.proportional_bps", "-1"]),
    ("unknown fill", at("market.fill", "best_price"), ["market.fill", "best_price", "next_open"]),
    ("unknown policy mode", at("policy.mode", "short_only"), ["policy.mode", "long_flat"]),
    ("flat edge above full edge", at("policy", {"flat_edge": 0.5, "full_edge": 0.1}), ["flat_edge", "0.5"]),
    ("golden with too few seeds", lambda s, _: s.update(golden=True, seeds=3), ["seeds", "3", "5"]),
    ("seed out of range", at("seed", -1), ["seed", "-1"]),
    ("alpha out of range", at("verdict.alpha", 0.9), ["verdict.alpha", "0.9"]),
    ("prior trials negative", at("verdict.prior_trials", -5), ["verdict.prior_trials", "-5"]),
    ("bad name", at("name", "My Study!"), ["name", "My Study!"]),
    ("unknown executor", at("executor.kind", "dask"), ["executor.kind", "dask", "local"]),
    ("plug-in that is not installed", at("plugins", ["nobody"]), ["plugins", "nobody"]),
    ("wrong type", at("seeds", "many"), ["seeds", "many"]),
    ("NaN price", csv(days(close={4: None})), ["close"]),
    ("negative price", csv(days(low={4: -1.0})), ["low"]),
    ("high below low", csv(days(high={4: 50.0})), ["high"]),
    ("unsorted rows", csv(swapped()), ["sort"]),
    ("duplicate rows", csv(twice()), ["duplicate"]),
    ("wrong column", csv(days().replace("close", "clsoe")), ["clsoe"]),
    ("naive time zone", csv(NAIVE), ["time zone"]),
    ("missing file", at("data", {"source": "csv", "params": {"path": "no/such.csv"}}), ["such.csv"]),
]


@pytest.mark.req("EXP-01")
@pytest.mark.parametrize(("edit", "said"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_explained(edit: Callable[[dict[str, Any], Path], None], said: list[str], tmp_path: Path) -> None:
    study = copy.deepcopy(BASE)
    edit(study, tmp_path)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    outcome = CliRunner().invoke(app, ["run", str(path), "--workspace", str(tmp_path / "workspace")])
    assert outcome.exit_code == 2, outcome.output
    for word in said:
        assert word in outcome.stderr, outcome.stderr
    assert "Traceback" not in outcome.output
    assert "help: docs/how-to/read-an-error.md" in outcome.stderr


def test_the_table_has_forty_rows() -> None:
    assert len(MISTAKES) >= 40


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nname: b\n", ["name", "line 2 repeats this key"]),
        ("just text", ["a study file has keys"]),
        ("a: [1, 2", ["not valid YAML"]),
        ("!!python/object/apply:os.system ['true']", ["not valid YAML"]),
    ],
)
def test_a_broken_file_is_explained(text: str, said: list[str], tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    outcome = CliRunner().invoke(app, ["config", "check", str(path)])
    assert outcome.exit_code == 2
    for word in said:
        assert word in outcome.stderr


def test_a_missing_study_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "quickstart.yaml").write_text("name: a", encoding="utf-8")
    outcome = CliRunner().invoke(app, ["run", str(tmp_path / "quikstart.yaml")])
    assert outcome.exit_code == 2
    assert "quickstart.yaml" in outcome.stderr
