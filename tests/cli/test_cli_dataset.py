"""`karat data build`: the combined dataset, its columns, its switches."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from karat.cli._app import app

NASDAQ = ["data", "build", "bundled", "-p", "dataset=nasdaq"]


@pytest.mark.req("DATA-08", "DATA-22", "FEAT-01", "FEAT-02")
def test_thirty_four_columns_in_the_stated_order(tmp_path: Path) -> None:
    out = tmp_path / "nested" / "nasdaq.parquet"
    found = CliRunner().invoke(app, [*NASDAQ, "--include-vix", "--out", str(out), "--json"])
    assert found.exit_code == 0, found.output
    facts = json.loads(found.stdout)
    frame = pl.read_parquet(out)
    assert frame.columns == facts["columns"]
    assert frame.width == 34
    assert frame.columns[:6] == ["Date", "open", "high", "low", "close", "volume"]
    assert [name.startswith("vix_") for name in frame.columns] == [False] * 26 + [True] * 8
    assert facts["dropped"]["outside overlap"] > 0


def test_without_the_index_there_are_twenty_six(tmp_path: Path) -> None:
    out = tmp_path / "nasdaq.parquet"
    found = CliRunner().invoke(app, [*NASDAQ, "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert pl.read_parquet(out).width == 26
    assert "left out: 49 rows, warm-up" in found.stdout


def vix_file(folder: Path) -> Path:
    """Write an index file with one bar whose high lies below its close."""
    from karat.data import sessions

    days = sessions("XNYS", "2014-01-02", "2016-12-30")["date"].to_list()
    rows = [f"{day},15,16,14,{15 + k % 3 * 0.3}" for k, day in enumerate(days)]
    rows[100] = f"{days[100]},15,15,14,15.9"
    path = folder / "vix.csv"
    path.write_text("\n".join(["DATE,OPEN,HIGH,LOW,CLOSE", *rows]), encoding="utf-8")
    return path


@pytest.mark.req("DATA-22")
def test_strict_stops_where_lenient_reports(tmp_path: Path) -> None:
    command = [*NASDAQ, "--include-vix", "--vix-path", str(vix_file(tmp_path)), "--out", str(tmp_path / "x.parquet")]
    strict = CliRunner().invoke(app, command)
    assert strict.exit_code == 2
    assert "low <= open, close <= high" in strict.stderr
    assert not (tmp_path / "x.parquet").exists()
    lenient = CliRunner().invoke(app, [*command, "--lenient"])
    assert lenient.exit_code == 0, lenient.output
    assert "error: low <= open, close <= high (1 row)" in lenient.stdout


def test_a_ticker_is_chosen_or_named(tmp_path: Path) -> None:
    command = [
        "data",
        "build",
        "synthetic",
        "-p",
        "n_days=200",
        "-p",
        "n_instruments=2",
        "--out",
        str(tmp_path / "x.parquet"),
    ]
    wrong = CliRunner().invoke(app, [*command, "--ticker", "NOBODY"])
    assert wrong.exit_code == 2
    assert "--ticker: got 'NOBODY'; allowed: " in wrong.stderr
    name = wrong.stderr.split("allowed: ")[1].split(",")[0].strip()
    right = CliRunner().invoke(app, [*command, "--ticker", name])
    assert right.exit_code == 0, right.output
