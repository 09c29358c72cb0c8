"""karat data: look at sources, check them, keep them in the catalog."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from cli_factory import karat

from karat.data import SOURCES

DAYS = ("-p", "n_days=300", "-p", "seed=3")


def test_list_names_every_source_with_its_parameters() -> None:
    facts = karat("data", "list", "--json").facts
    assert list(facts["sources"]) == sorted(SOURCES)
    assert "n_days" in facts["sources"]["synthetic"]
    assert facts["catalog"] == []
    text = karat("data", "list").out
    assert text.splitlines()[0].split() == ["source", "parameters", "(-p", "key=value)"]
    assert text.endswith("the catalog of workspace is empty\n")


def test_show_tells_what_a_source_holds() -> None:
    facts = karat("data", "show", "synthetic", *DAYS, "--json").facts
    assert (facts["rows"], facts["first"], facts["calendar"]) == (300, "2005-01-03", "XNYS")
    assert facts["licence"]
    assert "instruments  SYN000.SYNTH" in karat("data", "show", "synthetic", *DAYS).out


def test_check_passes_good_data_and_shows_warnings() -> None:
    said = karat("data", "check", "synthetic", *DAYS)
    assert said.code == 0
    assert said.out.endswith("300 rows: passed, no findings\n")
    said = karat("data", "check", "bundled", "-p", "dataset=sp500", "--json")
    assert said.code == 0
    assert said.facts["passed"] is True
    assert any(item["rule"] == "open is not the previous close" for item in said.facts["findings"])


def test_check_refuses_or_reports_bad_data(tmp_path: Path) -> None:
    rows = "date,open,high,low,close\n2024-07-02,10,9,9,10\n2024-07-03,10,11,9,-1\n2024-07-05,10,11,9,10\n"
    (tmp_path / "x.csv").write_text(rows, encoding="utf-8")
    words = ("data", "check", "csv", "-p", "path=x.csv", "-p", "instrument=ABC.XNYS", "-p", "licence=own data")
    strict = karat(*words)
    assert strict.code == 2
    assert "prices are positive" in strict.err
    lenient = karat(*words, "--lenient")
    assert lenient.code == 1
    assert "3 rows: NOT passed" in lenient.out
    facts = karat(*words, "--lenient", "--json").facts
    assert facts["passed"] is False
    assert {"prices are positive", "low <= open, close <= high"} <= {item["rule"] for item in facts["findings"]}


def test_a_dataset_is_kept_listed_queried_and_verified(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    kept = karat("data", "add", "synthetic", *DAYS, "--name", "syn", "--json").facts
    assert (kept["name"], kept["version"], kept["rows"]) == ("syn", 1, 300)
    again = karat("data", "add", "synthetic", *DAYS, "--name", "syn")
    assert again.out == f"syn version 1: 300 rows, content {kept['content']}\n"
    assert karat("data", "add", "synthetic", "-p", "n_days=50", "--name", "syn", "--json").facts["version"] == 2

    listed = karat("data", "list", "--json").facts["catalog"]
    assert [(item["name"], item["version"], item["rows"]) for item in listed] == [("syn", 1, 300), ("syn", 2, 50)]
    assert kept["content"][:16] in karat("data", "list").out

    found = karat("data", "query", "select count(*) as n from syn", "--json").facts
    assert found == {"columns": ["n"], "rows": [[50]]}
    assert "50" in karat("data", "query", "select count(*) as n from syn").out
    assert "one SELECT" in karat("data", "query", "drop table syn").err

    assert karat("data", "verify").out == "catalog ok\n"
    assert karat("data", "verify", "--json").facts == {"ok": True, "problems": []}
    target = tmp_path / "workspace" / "catalog" / kept["file"]
    bytes_ = bytearray(target.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    target.write_bytes(bytes(bytes_))
    broken = karat("data", "verify", "--json")
    assert broken.code == 1
    assert broken.facts["ok"] is False
    assert kept["file"] in broken.facts["problems"][0]
    assert kept["file"] in karat("data", "verify").out


def test_resample_writes_bars(tmp_path: Path) -> None:
    out = tmp_path / "new" / "week.parquet"
    said = karat("data", "resample", "synthetic", *DAYS, "--bars", "5d", "--out", out)
    assert (said.code, said.out) == (0, f"60 bars, written to {out}\n")
    assert len(pl.read_parquet(out)) == 60
    facts = karat("data", "resample", "synthetic", *DAYS, "--bars", "5d", "--out", out, "--json").facts
    assert facts == {"rows": 60, "out": str(out)}


@pytest.mark.req("DATA-06")
def test_init_makes_the_standard_folders(tmp_path: Path) -> None:
    facts = karat("data", "init", tmp_path / "lake", "--json").facts
    names = ["manifest.json", "processed", "raw", "samples"]
    assert [Path(item).name for item in facts["made"]] == names
    assert karat("data", "init", tmp_path / "lake").out.split() == facts["made"]


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("true", True), ("[1, 2]", [1, 2]), ("2014-01-03", "2014-01-03")]
)
def test_parameters_are_read_as_json_where_they_are_json(text: str, value: object) -> None:
    from karat.cli._data import _pair

    assert _pair(f"key={text}") == ("key", value)
    assert json.dumps(value)


def test_a_mapping_is_read_as_a_study_file_has_it(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("Day,Settle\n2024-07-02,1\n2024-07-03,2\n", encoding="utf-8")
    words = [
        "-p",
        "path=prices.csv",
        "-p",
        "licence=own",
        "-p",
        "instrument=A.B",
        "-p",
        "columns={Day: date, Settle: close}",
    ]
    assert karat("data", "show", "csv", *words, "--json").facts["values"] == "close"
    said = karat("data", "show", "csv", *words[:-1], "columns={Day: date")
    assert said.code == 2
    assert "columns: got '{Day: date'; allowed: keys and values" in said.err
