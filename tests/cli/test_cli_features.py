"""karat features: the registry, building, and the proof that nothing reads the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cli_factory import karat, write_study

from karat.features import FEATURES, TIERS, held_by


def test_list_shows_all_or_one_tier() -> None:
    assert karat("features", "list", "--json").facts == {"features": list(FEATURES)}
    assert karat("features", "list", "a20", "--json").facts == {"features": list(TIERS["a20"])}
    lines = karat("features", "list", "a20").out.splitlines()
    assert lines[0].split() == ["feature", "family", "unit", "warm-up", "tiers"]
    assert len(lines) == 21


@pytest.mark.req("FEAT-05")
def test_show_states_the_definition() -> None:
    facts = karat("features", "show", "rsi_14", "--json").facts
    assert facts["name"] == "rsi_14"
    assert facts["formula"]
    assert facts["inputs"] == ["close"]
    assert f"formula    {facts['formula']}" in karat("features", "show", "rsi_14").out


def test_build_counts_names_and_writes(tmp_path: Path) -> None:
    study = write_study(tmp_path, features=["ret_1", "vix_close"])
    said = karat("features", "build", study, "--json")
    assert said.code == 0
    assert (said.facts["rows"], said.facts["features"], said.facts["out"]) == (1400, ["ret_1"], None)
    assert said.facts["complete"] == 1399
    assert "vix_close" in said.facts["absent"]
    out = tmp_path / "new" / "features.parquet"
    said = karat("features", "build", study, "--out", out)
    assert said.out.startswith(
        f"1400 rows, 1399 of them complete, 1 feature, written to {out}\nabsent: vix_close: needs vix"
    )
    assert "ret_1" in pl.read_parquet(out).columns
    assert said.err == "reading the study\n"


def test_build_says_why_no_row_is_complete(tmp_path: Path) -> None:
    said = karat(
        "features", "build", write_study(tmp_path, features=["ret_1", "sma_ratio_50"]), "--set", "data.params.n_days=30"
    )
    assert said.out == (
        "30 rows, 0 of them complete, 2 features\n"
        "without a value in any row: sma_ratio_50 (warm-up 49); load a longer history, or leave them out\n"
    )


def test_show_is_for_readers() -> None:
    lines = [" ".join(line.split()) for line in karat("features", "show", "gap").out.splitlines()]
    assert {"inputs open, close", "recursive no", "tiers a20, a100, a250, a500, base25"} <= set(lines)


def test_absent_features_are_told_by_what_they_lack(tmp_path: Path) -> None:
    source, out = write_bars(tmp_path / "bars.parquet"), tmp_path / "out"
    said = karat("features", "build", source, "--features", "a100", "--features", "vix8", "--out", out)
    facts = karat("features", "build", source, "--features", "a100,vix8", "--out", tmp_path / "twin", "--json").facts
    lines = said.out.splitlines()[1:]
    assert len(lines) == len(set(facts["absent"].values())) < len(facts["absent"])
    line = next(line for line in lines if "needs vix;" in line)
    lacking = [name for name, why in facts["absent"].items() if why.startswith("needs vix;")]
    shown, _, rest = line.removeprefix("absent: ").partition(", ... ")
    assert len(set(shown.split(", ")) & set(lacking)) == 8
    offered = "vix: in a study joins: [{source: bundled"
    assert rest.startswith(f"({len(lacking)} features): needs vix; the panel has close; {offered}")


def test_check_proves_the_absence_of_a_leak(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    said = karat("features", "check", study, "--set", "data.params.n_days=300", "--json")
    assert said.code == 0
    assert (said.facts["passed"], said.facts["offending"]) == (True, [])
    assert "300 rows loaded; recomputing" in said.err
    assert karat("features", "check", study, "--set", "data.params.n_days=300").out.startswith(
        "no feature depends on its future; bar by bar each is the same"
    )


def test_check_names_what_it_could_not_prove(tmp_path: Path) -> None:
    study = write_study(tmp_path, features=["ret_1", "gap", "close_location", "rsi_14"])
    few = ["--set", "data.params.n_days=10"]
    said = karat("features", "check", study, *few)
    assert said.code == 1
    assert said.out.splitlines() == [
        "no feature with a value depends on its future; bar by bar each is the same",
        "NOTHING PROVED, no value before the last of 10 rows: rsi_14 (warm-up 14); load a longer history",
    ]
    facts = karat("features", "check", study, *few, "--json").facts
    assert (facts["passed"], facts["without_value"], facts["offending"]) == (False, ["rsi_14"], [])


def test_check_keeps_its_proofs_where_there_is_too_little_to_look_for_disguises(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    short = ["--distinct", "--set", "data.params.n_days=50"]
    said = karat("features", "check", study, *short)
    assert said.code == 1
    first, second = said.out.splitlines()
    assert first == "no feature depends on its future; bar by bar each is the same"
    assert second.startswith(
        "NOT LOOKED FOR, columns in disguise: complete rows: got 45; a row counts where every column"
    )
    assert "allowed: 60 of one instrument or more; load a longer history" in second
    facts = karat("features", "check", study, *short, "--json").facts
    assert (facts["offending"], facts["disguised"], facts["distinct_undone"][:21]) == ([], [], "complete rows: got 45")


def test_check_calls_a_constant_a_constant(tmp_path: Path) -> None:
    source = write_bars(tmp_path / "bars.parquet", 600)
    bars = pl.read_parquet(source).with_columns(pl.lit(100.0).alias("close"))
    bars.write_parquet(source)
    params = {"path": str(source), "licence": "made up", "calendar": "none"}
    study = write_study(tmp_path, data={"source": "parquet", "params": params}, features=["ret_1", "close"])
    said = karat("features", "check", study, "--distinct")
    assert said.code == 1
    assert said.out.splitlines()[1:] == ["DISGUISED: ret_1 is constant", "DISGUISED: close is constant"]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_check_names_a_planted_leak(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    spec = FEATURES["ret_1"]

    def peeking(columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"][::-1].copy()

    monkeypatch.setitem(FEATURES, "ret_1", dataclasses.replace(spec, compute=peeking))
    study = write_study(tmp_path)
    said = karat("features", "check", study, "--set", "data.params.n_days=300", *words)
    assert said.code == 1
    if words:
        assert said.facts["offending"] == ["ret_1"]
        assert said.facts["passed"] is False
    else:
        assert said.out == "LEAK: ret_1\n"


def test_build_reads_a_parquet_file_and_says_what_it_needs(tmp_path: Path) -> None:
    days = np.arange(1, 81, dtype=np.int64) * 86_400_000_000_000
    close = 100.0 + np.arange(80) % 7
    bars = pl.DataFrame({"ts": days, "known_at": days, "instrument": ["A.XNYS"] * 80, "close": close})
    source, out = tmp_path / "bars.parquet", tmp_path / "out"
    bars.write_parquet(source)
    said = karat("features", "build", source, "--features", "ret_5", "--features", "rsi_14", "--out", out, "--float32")
    assert said.code == 0
    assert said.out == f"1 part written to {out}\n"
    made = pl.read_parquet(out / "part-0000.parquet")
    assert made.columns == ["ts", "known_at", "instrument", "ret_5", "rsi_14"]
    assert made.schema["rsi_14"] == pl.Float32
    assert karat("features", "build", source, "--json").code == 2
    assert karat("features", "build", source, "--features", "ret_5", "--json").code == 2


def test_an_option_of_the_other_kind_of_file_is_refused_rather_than_ignored(tmp_path: Path) -> None:
    study, source = write_study(tmp_path), write_bars(tmp_path / "bars.parquet")
    said = karat("features", "build", study, "--features", "a20", "--features", "vix8")
    assert (said.code, said.out) == (2, "")
    assert "--features: got ['a20', 'vix8']; a study file names its own; write --set features=[a20,vix8]" in said.err
    said = karat("features", "build", study, "--float32")
    assert said.code == 2
    assert "--float32: got True; nothing is written without --out; add --out FILE.parquet, or leave" in said.err
    words = ["--features", "ret_5", "--set", "seed=3", "--out", tmp_path / "parts"]
    said = karat("features", "build", source, *words)
    assert (said.code, said.out) == (2, "")
    assert "--set: got ['seed=3']; a Parquet file has no settings; leave --set out, or name a study file" in said.err
    assert not (tmp_path / "parts").exists()
    assert karat("features", "build", study, "--set", "features=[ret_1,ret_5]", "--json").facts["features"] == [
        "ret_1",
        "ret_5",
    ]


def write_bars(path: Path, n: int = 80) -> Path:
    days = np.arange(1, n + 1, dtype=np.int64) * 86_400_000_000_000
    close = 100.0 + np.arange(n) % 7
    pl.DataFrame({"ts": days, "known_at": days, "instrument": ["A.XNYS"] * n, "close": close}).write_parquet(path)
    return path


def test_files_that_cannot_be_read_or_written_are_mistakes_of_the_user(tmp_path: Path) -> None:
    source, study = write_bars(tmp_path / "bars.parquet"), write_study(tmp_path)
    (tmp_path / "words.parquet").write_text("words", encoding="utf-8")
    (tmp_path / "good.csv").write_text("mine", encoding="utf-8")
    wrong = [
        (["none.parquet", "--features", "ret_5", "--out", "parts"], ["source: got 'none.parquet'", "no such file"]),
        (["bras.parquet", "--features", "ret_5", "--out", "parts"], ["did you mean 'bars.parquet'"]),
        (["words.parquet", "--features", "ret_5", "--out", "parts"], ["words.parquet: got", "readable as Parquet"]),
        (
            [source, "--features", "ret_5", "--out", "good.csv"],
            ["out: got 'good.csv'", "is a file", "allowed: a folder"],
        ),
        ([source, "--features", "ret_5", "--out", "good.csv/in"], ["out: got 'good.csv/in'", "good.csv is a file"]),
        ([study, "--out", tmp_path], [f"--out: got '{tmp_path}'", "it is a folder", "allowed: a file"]),
        (
            [study, "--out", "good.csv/x.parquet"],
            ["--out: got 'good.csv'", "good.csv is a file; allowed: a folder"],
        ),
    ]
    for words, told in wrong:
        said = karat("features", "build", *words)
        assert (said.code, said.out) == (2, ""), words
        for part in told:
            assert part in said.err, said.err
    assert (tmp_path / "good.csv").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "parts").exists()


@pytest.mark.req("FEAT-05")
def test_a_feature_without_its_input_names_the_column_and_who_has_it(tmp_path: Path) -> None:
    held = "needs vix; the panel has close"
    study = write_study(tmp_path, features=["ret_1", "vix_close"])
    said = karat("features", "build", study, "--json")
    assert said.facts["absent"]["vix_close"].startswith("needs vix; the panel has ")
    assert said.facts["absent"]["vix_close"].endswith(f"; {held_by(['vix'])}")
    only = tmp_path / "only"
    only.mkdir()
    said = karat("features", "build", write_study(only, features=["vix_close"]))
    assert (said.code, said.out) == (2, "")
    assert f"{held_by(['vix'])}; join a source that has the column" in said.err
    days = np.arange(1, 81, dtype=np.int64) * 86_400_000_000_000
    bars = pl.DataFrame({"ts": days, "known_at": days, "instrument": ["A.XNYS"] * 80, "close": 100.0 + days % 7})
    source = tmp_path / "bars.parquet"
    bars.write_parquet(source)
    words = ["--features", "ret_5", "--features", "vix_close", "--out", tmp_path / "out"]
    said = karat("features", "build", source, *words)
    assert (said.code, said.out.splitlines()[1]) == (
        0,
        f"absent: vix_close: {held}; {held_by(['vix'])}",
    )
    said = karat("features", "build", source, "--features", "vix_close", "--out", tmp_path / "other")
    assert said.code == 2
    assert f"{held}; {held_by(['vix'])}" in said.err
