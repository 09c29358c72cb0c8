"""karat features: the registry, building, and the proof that nothing reads the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cli_factory import karat, write_study

from karat.features import FEATURES, TIERS


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
    assert f"formula   {facts['formula']}" in karat("features", "show", "rsi_14").out


def test_build_counts_names_and_writes(tmp_path: Path) -> None:
    study = write_study(tmp_path, features=["ret_1", "vix_close"])
    said = karat("features", "build", study, "--json")
    assert said.code == 0
    assert (said.facts["rows"], said.facts["features"], said.facts["out"]) == (1400, ["ret_1"], None)
    assert "vix_close" in said.facts["absent"]
    out = tmp_path / "new" / "features.parquet"
    said = karat("features", "build", study, "--out", out)
    assert said.out.startswith(f"1400 rows, 1 features, written to {out}\nabsent: vix_close: needs vix")
    assert "ret_1" in pl.read_parquet(out).columns
    assert said.err == "reading the study\n"


def test_check_proves_the_absence_of_a_leak(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    said = karat("features", "check", study, "--set", "data.params.n_days=300", "--json")
    assert said.code == 0
    assert (said.facts["passed"], said.facts["offending"]) == (True, [])
    assert "300 rows loaded; recomputing" in said.err
    assert karat("features", "check", study, "--set", "data.params.n_days=300").out.startswith(
        "no feature depends on its future; bar by bar each is the same"
    )


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
    assert said.out == f"1 parts written to {out}\n"
    made = pl.read_parquet(out / "part-0000.parquet")
    assert made.columns == ["ts", "known_at", "instrument", "ret_5", "rsi_14"]
    assert made.schema["rsi_14"] == pl.Float32
    assert karat("features", "build", source, "--json").code == 2
    assert karat("features", "build", source, "--features", "ret_5", "--json").code == 2
