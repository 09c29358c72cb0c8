"""Mistakes in a study file: each message names the field, the value seen, what is allowed and the fix; exit 2."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_factory import karat

from karat.cli._output import DOCS
from karat.data import sessions

Edit = Callable[[dict[str, Any], Path], None]

BASE: dict[str, Any] = {
    "name": "mistakes",
    "data": {"source": "synthetic", "params": {"seed": 3, "n_days": 1300}},
    "features": ["ret_1", "signal"],
    "splits": {"test_frac": 0.4, "select_folds": 1, "test_folds": 1, "valid_bars": 60},
    "models": [{"name": "linear_quantile"}],
}


def at(path: str, value: Any) -> Edit:
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


def csv(text: str | Callable[[], str], **params: Any) -> Edit:
    """Return an edit that makes the source a CSV file with this text."""

    def edit(study: dict[str, Any], folder: Path) -> None:
        (folder / "prices.csv").write_text(text if isinstance(text, str) else text(), encoding="utf-8")
        settings = {"path": str(folder / "prices.csv"), "instrument": "ABC.XNYS", "licence": "own data"} | params
        study["features"] = settings.pop("features", ["ret_1"])
        study["data"] = {"source": "csv", "params": settings}

    return edit


def days(
    change: Callable[[list[list[str]]], object] | None = None, n: int = 30, year: str = "2015"
) -> Callable[[], str]:
    """Return what writes CSV text of n sessions; `change` edits its lines, the first being the header."""

    def text() -> str:
        dates = [str(day) for day in sessions("XNYS", "2015-01-02", "2017-12-31")["date"].to_list()[:n]]
        lines = [["date", "open", "high", "low", "close", "volume"]]
        lines += [[day.replace("2015", year), *[str(100 + k)] * 4, "1000000"] for k, day in enumerate(dates)]
        if change is not None:
            change(lines)
        return "\n".join(",".join(line) for line in lines)

    return text


def cell(row: int, column: int, text: str) -> Callable[[list[list[str]]], object]:
    """Return a change of one cell; row 0 is the header, column 0 the date."""
    return lambda lines: lines[row].__setitem__(column, text)


def file(name: str, content: str, source: str, keys: tuple[str, ...] = ("path", "licence", "instrument")) -> Edit:
    """Return an edit that writes a file and points the source at it."""

    def edit(study: dict[str, Any], folder: Path) -> None:
        (folder / name).write_text(content, encoding="utf-8")
        params = {"path": str(folder / name), "licence": "own data", "instrument": "ABC.XNYS"}
        study["data"] = {"source": source, "params": {key: params[key] for key in keys}}

    return edit


def without(key: str) -> Edit:
    """Return an edit that leaves a key out."""
    return lambda study, _folder: study.pop(key)


NAIVE = "timestamp,close\n2015-01-02 09:30:00,100\n2015-01-02 10:30:00,101\n"
SLASHES = "date,close\n01/02/2015,100\n01/05/2015,101\n"
EPOCH = "timestamp,close\n1420236000,100\n1420495200,101\n"
SUNDAY = "date,close\n2015-01-02,100\n2015-01-04,101\n"
CONTRADICTION = "date,close\n2015-01-02,100\n2015-01-02,101\n2015-01-05,101\n"
VIX = {"source": "bundled", "params": {"dataset": "vix"}, "column": "vix", "name": "vix"}

MISTAKES: list[tuple[str, Edit, list[str]]] = [
    ("typo in a key", at("horizonz", ["1d"]), ["horizonz", "unknown key", "did you mean 'horizons'"]),
    ("typo in a nested key", at("splits.test_fracs", 0.3), ["splits.test_fracs", "unknown key", "test_frac"]),
    ("typo in a model's key", at("models.0.parms", {}), ["models.0.parms", "unknown key", "params"]),
    ("unknown horizon", at("horizons", ["4d"]), ["horizons.0", "4d", "1d", "did you mean '5d'"]),
    ("primary horizon not run", at("primary_horizon", "5d"), ["primary_horizon", "5d", "1d"]),
    ("horizon twice", at("horizons", ["1d", "1d"]), ["horizons", "repeats", "keep each once"]),
    (
        "unknown model",
        at("models.0.name", "linear_quantil"),
        ["models.0.name", "linear_quantil", "did you mean 'linear_quantile'"],
    ),
    (
        "unknown model parameter",
        at("models.0.params", {"depht": 3}),
        ["models.0.params.depht", "unknown parameter", "l1_ratio"],
    ),
    ("model listed twice", at("models", [{"name": "lightgbm"}] * 2), ["models", "lightgbm", "twice", "remove one"]),
    ("no models", at("models", []), ["models", "got []", "1 or more entries"]),
    ("unknown feature", at("features", ["rsi_41"]), ["features.0", "rsi_41", "did you mean 'rsi_14'"]),
    ("unknown tier", at("features", ["a21"]), ["features.0", "a21", "did you mean 'a20'"]),
    (
        "a regime without its column",
        at("regimes", ["volatility", "rotation"]),
        ["regimes.1: got 'rotation'", "it reads market_return; the panel has", "column: market_return, name: market"],
    ),
    (
        "maps by a regime without its column",
        at("calibration", {"classes": "isotonic", "by_regime": "vix"}),
        ["calibration.by_regime: got 'vix'", "it reads vix", "joins: [{source: bundled, params: {dataset: vix}, col"],
    ),
    ("feature without its column", at("features", ["vix_close"]), ["vix_close", "needs vix", "join a source"]),
    ("unknown source", at("data.source", "yahoo"), ["data.source", "yahoo", "bundled"]),
    ("typo in a source", at("data.source", "bundeld"), ["data.source", "bundeld", "did you mean 'bundled'"]),
    (
        "unknown source parameter",
        at("data.params", {"sed": 3}),
        ["data.params.sed", "unknown parameter", "did you mean 'seed'"],
    ),
    (
        "unknown dataset",
        at("data", {"source": "bundled", "params": {"dataset": "nasdack"}}),
        ["data.params.dataset", "nasdack", "did you mean 'nasdaq'"],
    ),
    ("no data in range", at("data.start", "2090-01-01"), ["data.start", "2090-01-01", "no data", "2005-01-03 to 2010"]),
    (
        "end before start",
        at("data", BASE["data"] | {"start": "2007-01-01", "end": "2006-01-01"}),
        ["data.end", "2006-01-01", "2007-01-01"],
    ),
    ("a date that is none", at("data.start", "2015-13-01"), ["data.start", "2015-13-01", "a date, e.g."]),
    ("valid longer than the data", at("splits.valid_bars", 5000), ["splits", "needs 5000", "valid_bars"]),
    (
        "horizon longer than the data",
        at("data.params", {"seed": 3, "n_days": 25}),
        ["23 labelled bars", "load more data"],
    ),
    ("test share above one", at("splits.test_frac", 1.5), ["splits.test_frac", "1.5", "below 1"]),
    ("negative cost", at("market.proportional_bps", -1), ["market.proportional_bps", "-1", "0 or more"]),
    ("unknown fill", at("market.fill", "best_price"), ["market.fill", "best_price", "next_open"]),
    ("unknown policy mode", at("policy.mode", "short_only"), ["policy.mode", "short_only", "long_flat"]),
    (
        "flat edge above full edge",
        at("policy", {"flat_edge": 0.5, "full_edge": 0.1}),
        ["policy.flat_edge", "0.5", "above full_edge", "lower it"],
    ),
    ("golden with too few seeds", lambda s, _: s.update(golden=True, seeds=3), ["seeds", "got 3", "at least 5"]),
    ("seed out of range", at("seed", -1), ["seed", "got -1", "0 or more"]),
    ("alpha out of range", at("verdict.alpha", 0.9), ["verdict.alpha", "got 0.9", "0.2 or less"]),
    ("prior trials negative", at("verdict.prior_trials", -5), ["verdict.prior_trials", "got -5", "0 or more"]),
    ("bad name", at("name", "My Study!"), ["name", "My Study!", "small letters", "my_study"]),
    ("unknown executor", at("executor.kind", "dask"), ["executor.kind", "dask", "local, ray"]),
    ("plug-in that is not installed", at("plugins", ["nobody"]), ["plugins", "nobody", "install the package"]),
    ("wrong type", at("seeds", "many"), ["seeds", "many", "a whole number"]),
    ("NaN price", csv(days(cell(5, 4, ""))), ["close without a value", "2015-01-08", "missing='drop'"]),
    (
        "negative price",
        csv(days(cell(5, 3, "-1"))),
        ["low -1", "prices are positive", "2015-01-08", "correct the rows"],
    ),
    ("high below low", csv(days(cell(5, 2, "50"))), ["high 50", "low <= open", "2015-01-08", "correct the rows"]),
    (
        "unsorted rows",
        csv(days(lambda lines: lines.insert(5, lines.pop(6)))),
        ["earlier than the row before", "2015-01-08", "repair=true"],
    ),
    (
        "duplicate rows",
        csv(days(lambda lines: lines.insert(5, lines[5]))),
        ["1 repeated row", "2015-01-08", "repair=true"],
    ),
    (
        "wrong column",
        csv(days(cell(0, 4, "clsoe"))),
        ["needs close", "did you mean the column 'clsoe'", "columns: {clsoe: close}"],
    ),
    ("naive time zone", csv(NAIVE), ["2015-01-02 09:30:00", "no time zone", "tz='America/New_York'"]),
    (
        "missing file",
        at("data", {"source": "csv", "params": {"path": "no/such.csv"}}),
        ["no/such.csv", "there is no folder 'no'", "correct the path"],
    ),
    ("no name", without("name"), ["name", "required key is missing"]),
    ("no data", without("data"), ["data", "required key is missing"]),
    ("no source", at("data", {"params": {}}), ["data.source", "required key is missing"]),
    ("a list where keys belong", at("splits", [0.5]), ["splits", "[0.5]", "keys and values"]),
    ("one word where a list belongs", at("features", "a20"), ["features", "'a20'", "a list", "write [a20]"]),
    ("one join where a list belongs", at("joins", VIX), ["joins (line ", "a list", "put it between [ and ]"]),
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
    ("no path", at("data", {"source": "csv"}), ["data.params.path", "add path"]),
    ("a path that is a number", at("data", {"source": "csv", "params": {"path": 5}}), ["path", "got 5", "a file name"]),
    (
        "a table in memory from a file",
        at("data", {"source": "frame"}),
        ["data.source", "frame", "a study file cannot hold a table", "csv or parquet"],
    ),
    ("no licence", csv(days(), licence=""), ["licence", "every dataset states its licence"]),
    ("typo in a file name", csv(days(), path="prizes.csv"), ["prizes.csv", "did you mean"]),
    ("an instrument without its venue", csv(days(), instrument="ABC"), ["instrument", "ABC", "SYMBOL.VENUE"]),
    ("an unknown calendar", csv(days(), calendar="NYSE!"), ["calendar", "NYSE!", "did you mean 'NYSE'"]),
    ("an unknown time zone", csv(NAIVE, tz="Mars/Olympus"), ["tz", "Mars/Olympus", "America/New_York"]),
    ("a day without a session", csv(SUNDAY), ["2015-01-04", "no session", "off_session='drop'"]),
    ("rows that contradict each other", csv(CONTRADICTION), ["share a time", "never repaired"]),
    ("a word for a price", csv(days(cell(5, 4, "n.a1"))), ["close", "n.a1", "row 5"]),
    ("an infinite price", csv(days(cell(5, 4, "inf"))), ["finite", "row 5"]),
    ("dates with slashes", csv(SLASHES), ["01/02/2015", "date_format"]),
    ("whole numbers for times", csv(EPOCH), ["time_unit", "ns"]),
    ("prices from the future", csv(days(year="2095")), ["2095-01-02", "no session", "correct the dates"]),
    ("no rows", csv("date,close\n"), ["0 rows", "the table is empty"]),
    ("an empty file", csv(""), ["prices.csv", "the file is empty"]),
    ("no closing price", csv(days(cell(0, 4, "settle"), n=250), features=["volume"]), ["a column 'close'", "columns:"]),
    ("no Parquet", file("x.parquet", "words", "parquet"), ["x.parquet", "readable as Parquet"]),
    ("no database", file("x.sqlite", "words", "sqlite", ("path",)), ["x.sqlite"]),
    ("a join from an unknown source", at("joins", [VIX | {"source": "cboe"}]), ["joins.0.source", "cboe", "bundled"]),
    (
        "a join without the column",
        at("joins", [VIX | {"column": "close"}]),
        ["joins.0.column", "close", "no such column", "vix"],
    ),
    ("a join of other years", at("joins", [VIX]), ["2005", "2014"]),
    (
        "an unknown feature beside",
        at("joins", [{"name": "week", "bars": "week", "features": ["rsi_41"]}]),
        ["joins.0.features.0", "rsi_41", "rsi_14"],
    ),
    (
        "a regime beside that follows no past",
        at("joins", [{"name": "now", "regimes": ["neural"]}]),
        ["joins.0.regimes", "neural", "fitted on Train once", "volatility, liquidity"],
    ),
    ("a join of nothing", at("joins", [{"name": "week", "bars": "week"}]), ["joins.0", "name a source, or features"]),
    (
        "a column and features in one join",
        at("joins", [VIX | {"features": ["ret_1"]}]),
        ["joins.0.column", "got 'vix'", "write a second join"],
    ),
    (
        "a prefix that is no name",
        at("joins", [{"name": "my week", "bars": "week", "features": ["ret_1"]}]),
        ["joins.0.name", "got 'my week'", "a Python identifier", "did you mean 'my_week'?"],
    ),
    (
        "a join of no features",
        at("joins", [{"name": "week", "bars": "week", "features": []}]),
        ["joins.0.features (line ", "got []", "name features, regimes or both"],
    ),
    (
        "two joins of one name",
        at("joins", [{"name": "week", "bars": each, "features": ["ret_1"]} for each in ("week", "5d")]),
        ["1 problem\n", "joins (line ", "got the name week twice", "a name of its own"],
    ),
    (
        "unknown bars of a join",
        at("joins", [{"name": "week", "bars": "weekly", "features": ["ret_1"]}]),
        ["1 problem\n", "joins.0.bars (line ", "1d, 2d, 3d, 5d, week, source", "did you mean 'week'"],
    ),
    (
        "a feature taken out that was not in",
        at("features", ["a20", "-ret_60", "ret_1"]),
        ["1 problem\n", "features.1: got '-ret_60'", "no entry before it selects ret_60", "remove it"],
    ),
    (
        "a misspelt regime that calibrates nothing",
        at("calibration", {"by_regime": "hiden"}),
        ["calibration.by_regime", "nothing is calibrated", "allowed: none, volatility", "did you mean 'hidden'?"],
    ),
    (
        "a column in slower bars",
        at("joins", [VIX | {"bars": "week"}]),
        ["joins.0.bars", "got 'week'", "name features"],
    ),
    ("Test before the data", at("splits.test_start", "1999-01-01"), ["test_start", "1999-01-01", "2005"]),
    (
        "fewer than 500 test dates",
        at("data.params", {"seed": 3, "n_days": 900}),
        ["test dates: got 359", ">= 500", "141 more dates would be enough", "splits.test_frac", "Test was not opened"],
    ),
    ("no trials", at("models", []), ["models", "got []", "a list of 1 or more entries"]),
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
def test_a_mistake_is_explained(edit: Edit, said: list[str], tmp_path: Path, inline: None) -> None:
    study = copy.deepcopy(BASE)
    edit(study, tmp_path)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    outcome = karat("run", path)
    assert outcome.code == 2, outcome.err
    assert outcome.out == ""
    for word in said:
        assert word in outcome.err, outcome.err
    assert f"help: {DOCS}" in outcome.err


def test_the_table_is_long_enough_and_every_row_differs() -> None:
    names = [row[0] for row in MISTAKES]
    assert len(set(names)) == len(names) >= 44
    assert all(said for _, _, said in MISTAKES)


def test_all_names_that_do_not_exist_are_told_at_once(tmp_path: Path) -> None:
    study = copy.deepcopy(BASE)
    study["features"] = ["rsi_41", "ret_1"]
    study["models"] = [{"name": "linear_quantil"}, {"name": "lightgbm", "params": {"num_leaves": 4}}]
    study["joins"] = [VIX | {"params": {"dataset": "vxi"}}]
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    said = karat("config", "check", path)
    assert said.code == 2
    lines = [line.split(":")[0].strip() for line in said.err.splitlines()[1:-1]]
    assert lines == ["- joins.0.params.dataset", "- features.0", "- models.0.name", "- models.1.params.num_leaves"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nname: b\n", ["name", "line 2 repeats this key", "keep one"]),
        ("just text", ["a study file has keys such as name, data, models"]),
        ("a: [1, 2", ["not valid YAML", "line 1", "correct the file"]),
        ("name: a\n\tdata: 1\n", ["not valid YAML", "line 2", "spaces, not with tabs"]),
        ("!!python/object/apply:os.system ['true']", ["not valid YAML"]),
        ("", ["a study file has keys"]),
    ],
)
def test_a_broken_file_is_explained(text: str, said: list[str], tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    outcome = karat("config", "check", path)
    assert outcome.code == 2
    for word in said:
        assert word in outcome.err, outcome.err
