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
        features = settings.pop("features", ["ret_1"])
        study["data"] = {"source": "csv", "params": settings}
        study["features"] = features

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


def file(name: str, content: str, **data: Any) -> Callable[[dict[str, Any], Path], None]:
    """Return an edit that writes a file and points the source at it."""

    def edit(study: dict[str, Any], folder: Path) -> None:
        (folder / name).write_text(content, encoding="utf-8")
        params = {"path": str(folder / name), "licence": "own data", "instrument": "ABC.XNYS"} | data.get("params", {})
        study["data"] = {"source": data["source"], "params": params}

    return edit


def without(key: str) -> Callable[[dict[str, Any], Path], None]:
    """Return an edit that leaves a key out."""
    return lambda study, _folder: study.pop(key)


NAIVE = "timestamp,close\n2015-01-02 09:30:00,100\n2015-01-02 10:30:00,101\n"
SLASHES = "date,close\n01/02/2015,100\n01/05/2015,101\n"
EPOCH = "timestamp,close\n1420236000,100\n1420495200,101\n"
SUNDAY = "date,close\n2015-01-02,100\n2015-01-04,101\n"
CONTRADICTION = "date,close\n2015-01-02,100\n2015-01-02,101\n2015-01-05,101\n"
NO_CLOSE = "\n".join(
    ",".join(cell for k, cell in enumerate(line.split(",")) if k != 4) for line in days(400).splitlines()
)
VIX = {"source": "bundled", "params": {"dataset": "vix"}, "column": "vix", "name": "vix"}

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
    ("no name", without("name"), ["name", "required key is missing"]),
    ("no data", without("data"), ["data", "required key is missing"]),
    ("no source", at("data", {"params": {}}), ["data.source", "required key is missing"]),
    ("a list where keys belong", at("splits", [0.5]), ["splits", "[0.5]", "keys and values"]),
    ("one word where a list belongs", at("features", "a20"), ["features", "'a20'", "a list"]),
    ("nothing but baselines", at("models", [{"name": "ewma"}]), ["models", "ewma", "candidate"]),
    ("a model's parameter out of bounds", at("models.0.params", {"l1_ratio": 7}), ["models.0.params", "7", "from"]),
    ("the seed as a parameter", at("models.0.params", {"seed": 7}), ["models.0.params.seed", "7", "set seed"]),
    ("no features", at("features", []), ["features", "no feature is selected"]),
    ("every feature taken out again", at("features", ["ret_1", "-ret_1"]), ["features", "no feature is selected"]),
    ("bars that do not exist", at("data.bars", "4h"), ["data.bars", "4h", "week"]),
    ("no worker", at("executor.workers", 0), ["executor.workers", "got 0", "1 or more"]),
    ("a switch that is a word", at("golden", "perhaps"), ["golden", "perhaps", "true or false"]),
    ("a source parameter of another type", at("data.params", {"n_days": "many"}), ["n_days", "many"]),
    ("a source parameter out of bounds", at("data.params", {"n_days": -5}), ["n_days", "-5"]),
    ("no dataset", at("data", {"source": "bundled"}), ["data.params.dataset", "add dataset"]),
    ("no path", at("data", {"source": "csv"}), ["data.params.path", "add path"]),
    ("a path that is a number", at("data", {"source": "csv", "params": {"path": 5}}), ["path", "got 5", "a file name"]),
    ("a table in memory from a file", at("data", {"source": "frame"}), ["frame"]),
    ("no licence", csv(days(), licence=""), ["licence", "every dataset states its licence"]),
    ("typo in a file name", csv(days(), path="prizes.csv"), ["prizes.csv"]),
    ("an instrument without its venue", csv(days(), instrument="ABC"), ["instrument", "ABC", "SYMBOL.VENUE"]),
    ("an unknown calendar", csv(days(), calendar="NYSE!"), ["calendar", "NYSE!"]),
    ("an unknown time zone", csv(NAIVE, tz="Mars/Olympus"), ["Mars/Olympus"]),
    ("a day without a session", csv(SUNDAY), ["2015-01-04", "no session", "off_session='drop'"]),
    ("rows that contradict each other", csv(CONTRADICTION), ["share a time", "never repaired"]),
    ("a word for a price", csv(days(close={4: "n.a1"})), ["close", "n.a1", "row 5"]),
    ("an infinite price", csv(days(close={4: float("inf")})), ["finite", "row 5"]),
    ("dates with slashes", csv(SLASHES), ["01/02/2015", "date_format"]),
    ("whole numbers for times", csv(EPOCH), ["time_unit", "ns"]),
    ("prices from the future", csv(days().replace("2015-", "2095-")), ["2095"]),
    ("no rows", csv("date,close\n"), ["0 rows", "the table is empty"]),
    ("an empty file", csv(""), ["prices.csv", "the file is empty"]),
    ("no closing price", csv(NO_CLOSE, features=["volume"]), ["a column 'close'", "columns:"]),
    ("no Parquet", file("x.parquet", "words", source="parquet"), ["x.parquet", "readable as Parquet"]),
    ("no database", file("x.sqlite", "words", source="sqlite", params={}), ["x.sqlite"]),
    ("a join from an unknown source", at("joins", [VIX | {"source": "cboe"}]), ["joins.0.source", "cboe", "bundled"]),
    ("a join without the column", at("joins", [VIX | {"column": "close"}]), ["joins.column", "close", "vix"]),
    ("a join of other years", at("joins", [VIX]), ["2005", "2014"]),
    ("Test before the data", at("splits.test_start", "1999-01-01"), ["test_start", "1999-01-01", "2005"]),
    (
        "more folds than test dates",
        at("splits", BASE["splits"] | {"test_frac": 0.02, "test_folds": 30}),
        ["30 test_folds"],
    ),
    (
        "zero trades",
        at("policy", {"flat_edge": 30, "full_edge": 40}),
        ["policy.flat_edge", "30", "zero trades", "Test was not opened"],
    ),
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
