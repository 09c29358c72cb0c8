"""karat regimes: the systems, one definition, labels of a study's panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from cli_factory import karat, write_study

from karat.core import NS_PER_DAY, iso_date
from karat.data import Panel, load
from karat.features.regimes import REGIMES, label


def test_list_shows_every_system_with_its_states() -> None:
    assert karat("regimes", "list", "--json").facts["regimes"]["vix"] == ["calm", "normal", "elevated", "crisis"]
    assert len(karat("regimes", "list").out.splitlines()) == 1 + len(REGIMES)


def test_show_states_the_definition_and_knows_near_names() -> None:
    facts = karat("regimes", "show", "hidden", "--json").facts
    assert facts["states"] == list(REGIMES["hidden"].states)
    assert facts["common"]["Crisis"] == "stressed Crisis"
    lines = karat("regimes", "show", "hidden").out.splitlines()
    assert "states    StrongBull, Bull, Sideways, Recovery, Bear, Crisis" in lines
    assert lines[-1].startswith("common    StrongBull: calm Bull, Bull: calm Bull")
    said = karat("regimes", "show", "hiden")
    assert said.code == 2
    assert "did you mean 'hidden'" in said.err


@pytest.mark.req("REG-02")
def test_label_takes_a_panel_each_instrument_by_itself(tmp_path: Path) -> None:
    """What is written is what the service says of each instrument alone."""
    data = {"source": "synthetic", "params": {"seed": 3, "n_days": 1400, "n_instruments": 2}}
    both, out = write_study(tmp_path, data=data, features=["ret_1"]), tmp_path / "labels.parquet"
    facts = karat("regimes", "label", both, "volatility", "--out", out, "--json").facts
    assert (facts["rows"], facts["unlabelled"]) == (2 * 896, 2 * 504)
    found = pl.read_parquet(out)
    whole = load("synthetic", **data["params"])  # type: ignore[arg-type]
    for instrument in whole.instruments:
        alone = Panel(whole.frame.filter(instrument=instrument), whole.calendar, whole.provenance)
        assert found.filter(instrument=instrument).equals(label(alone, "volatility").frame)
    assert karat("regimes", "label", both, "rotation", "--json").facts["rows"] > 1000
    changed = karat("regimes", "label", both, "volatility", "--json", "--set", "data.params.seed=4").facts
    assert changed["states"] != facts["states"]


@pytest.mark.req("REG-02")
def test_label_describes_and_writes(tmp_path: Path) -> None:
    study, out = write_study(tmp_path), tmp_path / "new" / "labels.parquet"
    facts = karat("regimes", "label", study, "volatility", "--out", out, "--json").facts
    assert facts["rows"] + facts["unlabelled"] == 1400
    assert facts["unlabelled"] == 504
    assert [row["name"] for row in facts["states"]] == ["calm", "elevated", "turbulent"]
    assert pl.read_parquet(out)["state"].null_count() == 504
    said = karat("regimes", "label", study, "volatility", "--out", out)
    assert said.out.endswith(f"\nwritten to {out}\n")
    assert "504 rows without a state; the state changes on" in said.out
    until = iso_date(pl.read_parquet(out)["ts"][900])
    said = karat("regimes", "label", study, "volatility", "--until", until, "--json")
    assert 0 < said.facts["out_of_sample"]["volatility_p"] <= 1
    said = karat("regimes", "label", study, "vix")
    assert said.code == 2
    assert (
        "vix is missing; vix: in a study joins: [{source: bundled, params: {dataset: vix}, column: vix, name: vix}]"
        in said.err
    )


def test_label_keeps_rows_that_were_fitted_on_apart_from_later_ones(tmp_path: Path) -> None:
    study, words = write_study(tmp_path), ["volatility", "--until", "2008-06-01"]
    facts = karat("regimes", "label", study, *words, "--json").facts
    seen, later = (sum(row["rows"] for row in facts[f"states_{part}"]) for part in ("fitted_on", "later"))
    assert (seen + later, later) == (facts["rows"], 542)
    lines = karat("regimes", "label", study, *words).out.splitlines()
    assert (lines[0], lines[5]) == ("rows fitted on", "later rows")
    p = facts["out_of_sample"]
    assert p["volatility_p"] < 0.05 < p["mean_p"]  # the edge of this world is in its mean, its volatility clusters
    assert lines[10] == (
        f"after the fit: volatility differs between states (p = {p['volatility_p']:.3f}); "
        f"mean return is not seen to differ between states (p = {p['mean_p']:.3f})"
    )


def test_label_warns_where_every_row_was_fitted_on(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    facts = karat("regimes", "label", study, "volatility", "--until", "2030-01-01", "--json").facts
    assert facts["out_of_sample"] is None
    assert "states_later" not in facts
    said = karat("regimes", "label", study, "volatility", "--until", "2030-01-01")
    assert "WARNING: every labelled row was fitted on; nothing here is out of sample" in said.out
    said = karat("regimes", "label", study, "volatility", "--until", "2010-06-01")
    assert "after the fit: states are not compared; that takes one instrument and 50 later rows" in said.out
    assert "WARNING" not in said.out


def test_label_prints_bars_with_one_digit_and_a_dash_for_a_state_that_never_is(tmp_path: Path) -> None:
    said = karat("regimes", "label", write_study(tmp_path), "volatility", "--until", "2010-06-01")
    rows = [line.split() for line in said.out.splitlines() if line.startswith(("calm", "turbulent"))]
    assert [row[-1] for row in rows] == ["22.4", "10.3", "27.0", "-"]


def test_label_counts_one_row_as_one(tmp_path: Path) -> None:
    ts = [12_000 * NS_PER_DAY]
    one = pl.DataFrame({"ts": ts, "known_at": ts, "instrument": ["A.TEST"], "close": [50.0]})
    one.write_parquet(tmp_path / "one.parquet")
    params = {"path": str(tmp_path / "one.parquet"), "licence": "made up", "calendar": "none"}
    said = karat("regimes", "label", write_study(tmp_path, data={"source": "parquet", "params": params}), "hidden")
    assert said.err.splitlines()[1] == "1 row loaded; labelling"


def test_label_says_why_no_row_has_a_state(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    said = karat("regimes", "label", study, "hidden", "--set", "data.params.n_days=400")
    assert (said.code, said.out) == (2, "")
    told = "regime: got 'hidden'; it is first fitted after 504 rows with close; SYN000.SYNTH has 400, the most of"
    assert told in said.err
    assert "load a longer history, or fit on a part of it with --until" in said.err
    said = karat("regimes", "label", study, "hidden", "--set", "data.params.n_days=30")
    assert "has 30, the most of all; load a longer history\n" in said.err, "30 rows are too few for --until too"
    ts = (12_000 + np.arange(900)) * NS_PER_DAY
    flat = pl.DataFrame({"ts": ts, "known_at": ts, "instrument": ["A.TEST"] * 900, "close": [50.0] * 900})
    flat.write_parquet(tmp_path / "flat.parquet")
    params = {"path": str(tmp_path / "flat.parquet"), "licence": "made up", "calendar": "none"}
    study = write_study(tmp_path, data={"source": "parquet", "params": params})
    said = karat("regimes", "label", study, "hidden")
    assert (said.code, said.out) == (2, "")
    assert "regime: got 'hidden'; its measure has no value in any row (900 rows of A.TEST): " in said.err
    assert "see whether close changes at all (karat data check), or choose another of karat regimes list" in said.err


def test_label_names_the_option_that_a_system_needs_and_the_dates_it_may_have(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    for days, day in ((2600, "2013-12-10"), (6000, "2016-12-01")):  # that of bar 2,250, and the middle
        said = karat("regimes", "label", study, "neural", "--set", f"data.params.n_days={days}")
        assert (said.code, said.out) == (2, "")
        assert "--until: got None; neural is fitted once and follows no past of its own" in said.err
        assert f"say until when it may learn, e.g. --until {day}" in said.err
    said = karat("regimes", "label", study, "volatility", "--until", "2005-01-31")
    assert (said.code, said.out) == (2, "")
    told = "--until: got '2005-01-31'; SYN000.SYNTH has fewer than 22 bars by then; allowed: a date after 2005-02-02"
    assert told in said.err
    said = karat("regimes", "label", study, "neural", "--until", "2009-01-01")
    assert (said.code, said.out) == (2, "")
    told = "regime: got 'neural'; it is fitted on 2250 bars or more; SYN000.SYNTH has 1400; load a longer history"
    assert told in said.err


def test_label_takes_the_seed_of_the_study_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from karat.features import regimes

    taken, plain = [], regimes.label

    def seen(*args: Any, **named: Any) -> regimes.RegimeFrame:
        taken.append(named["seed"])
        return plain(*args, **named)

    monkeypatch.setattr(regimes, "label", seen)
    study = write_study(tmp_path, seed=7)
    for words in ([], ["--set", "seed=9"], ["--seed", "11"]):
        assert karat("regimes", "label", study, "volatility", *words).code == 0
    assert taken == [7, 9, 11]
    said = karat("regimes", "label", study, "volatility", "--seed", "-1")
    assert said.code == 2
    assert "seed: got -1; allowed: 0 or more" in said.err
    assert taken == [7, 9, 11]


@pytest.mark.req("REG-03")
def test_label_takes_bands_and_pairs_of_them(tmp_path: Path) -> None:
    study, out = write_study(tmp_path), tmp_path / "labels.parquet"
    plain = karat("regimes", "label", study, "volatility", "--json").facts
    words = ["--bands", "0.45:0.55, 0.85:0.95", "--out", out, "--json"]
    facts = karat("regimes", "label", study, "volatility", *words).facts
    assert facts["changes"] < plain["changes"]
    made_of = load("synthetic", seed=3, n_days=1400, edge_sharpe=3.0)
    held = label(made_of, "volatility", bands=((0.45, 0.55), (0.85, 0.95))).frame
    assert pl.read_parquet(out).select("ts", "state").equals(held.select("ts", "state"))
    facts = karat("regimes", "label", study, "volatility", "--bands", "0.3,0.6:0.7", "--json").facts
    assert facts["rows"] == plain["rows"]
    assert facts["states"][0]["share"] < plain["states"][0]["share"]


@pytest.mark.parametrize(
    ("name", "bands", "told"),
    [
        (
            "volatility",
            "half,0.9",
            "--bands: got 'half,0.9'; allowed: quantiles such as 0.5,0.9, or pairs of them such",
        ),
        ("volatility", "0.4:0.5:0.6,0.9", "--bands: got '0.4:0.5:0.6,0.9'; allowed: quantiles such as"),
        ("volatility", "0.4:,0.9", "--bands: got '0.4:,0.9'; allowed: quantiles such as"),
        ("volatility", "0.9,0.5", "allowed: strictly ascending numbers between 0 and 1, or pairs of them"),
        ("volatility", "0.5", "allowed: 2 of them, for calm, elevated, turbulent"),
        ("hidden", "0.5", "allowed: none: hidden has no quantile bands"),
    ],
)
def test_label_refuses_bands_before_it_loads(tmp_path: Path, name: str, bands: str, told: str) -> None:
    said = karat("regimes", "label", write_study(tmp_path), name, "--bands", bands)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert "rows loaded" not in said.err


def test_label_says_where_it_cannot_write_before_it_labels(tmp_path: Path) -> None:
    said = karat("regimes", "label", write_study(tmp_path), "volatility", "--out", tmp_path)
    assert (said.code, said.out) == (2, "")
    assert f"--out: got '{tmp_path}'; it is a folder; allowed: a file" in said.err
    assert "rows loaded" not in said.err


@pytest.mark.req("REG-06")
def test_label_prints_the_rate_within_a_day_with_its_definition(tmp_path: Path) -> None:
    hours, moved = 900, np.random.default_rng(1).normal(0, 0.002, 900)
    ts = [12_000 * NS_PER_DAY + (k + 1) * NS_PER_DAY // 24 for k in range(hours)]
    keys = {"ts": ts, "known_at": ts, "instrument": ["A.TEST"] * hours}
    pl.DataFrame({**keys, "close": np.exp(np.cumsum(moved))}).write_parquet(tmp_path / "hours.parquet")
    params = {"path": str(tmp_path / "hours.parquet"), "licence": "made up", "calendar": "none"}
    study = write_study(tmp_path, data={"source": "parquet", "params": params})
    facts = karat("regimes", "label", study, "volatility", "--as-loaded", "--json").facts
    assert facts["intraday"]["definition"].startswith("changes of state in a UTC day over its labelled bars")
    assert 0.05 < facts["intraday"]["rate"] < 0.3  # bands of constant volatility flicker
    assert facts["intraday"]["steady"] is False
    said = karat("regimes", "label", study, "volatility", "--as-loaded")
    assert (
        f"within a day: {facts['intraday']['rate']:.2%} over {facts['intraday']['days']} days (changes of" in said.out
    )
