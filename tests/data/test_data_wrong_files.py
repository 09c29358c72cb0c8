"""Files and tables that are not what their options say: each is refused with what was seen and the fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from karat.core import DataError, InputError
from karat.data import Panel, load

TWO = "Date,Instrument,Close\n2024-07-02,A.B,1\n2024-07-02,C.D,2\n2024-07-03,A.B,3\n2024-07-03,C.D,4\n"
Csv = Callable[..., Panel]


@pytest.fixture
def csv(tmp_path: Path) -> Csv:
    def read(text: str | bytes, **options: Any) -> Panel:
        (tmp_path / "prices.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load("csv", path=str(tmp_path / "prices.csv"), licence="own data", **options)

    return read


@pytest.mark.parametrize(
    ("text", "instrument", "said"),
    [
        (TWO, "X.Y", r"got 'X.Y'; the column instrument names 2 instruments: A.B, C.D; leave instrument out$"),
        (
            TWO.replace("Instrument", "Symbol"),
            "X.Y",
            r"the column symbol names 2 .*; leave instrument out and pass columns: {symbol: instrument}",
        ),
        (
            TWO.replace("Instrument", "Ticker"),
            None,
            r"pass instrument='SYMBOL.VENUE', or columns: {ticker: instrument}",
        ),
        (TWO.replace("A.B", "AB"), None, r"got 'AB'; .*; write the venue into the file, e.g. AB.XNYS"),
    ],
    ids=["an instrument of many", "symbols", "tickers", "no venue"],
)
def test_an_instrument_that_the_rows_contradict(csv: Csv, text: str, instrument: str | None, said: str) -> None:
    with pytest.raises(InputError, match=rf"prices.csv.instrument: .*{said}"):
        csv(text, instrument=instrument)


def test_one_symbol_may_be_given_another_name(csv: Csv) -> None:
    text = "Date,Symbol,Close\n2024-07-02,AB,1\n2024-07-03,AB,2\n"
    assert csv(text, instrument="AB.XNYS").instruments == ("AB.XNYS",)
    assert csv(TWO.replace("Instrument", "Symbol"), columns={"symbol": "instrument"}).instruments == ("A.B", "C.D")


def test_rows_that_were_written_by_karat_keep_their_instrument() -> None:
    written = load("synthetic", n_days=5, seed=1).frame
    with pytest.raises(
        InputError, match=r"frame.instrument: got 'X.Y'; the rows have their own; allowed: SYN000.SYNTH;"
    ):
        load("frame", frame=written, licence="own data", instrument="X.Y")
    assert len(load("frame", frame=written, licence="own data", instrument="SYN000.SYNTH").frame) == 5


def test_a_header_with_a_column_twice_and_bytes_that_are_no_utf_8(csv: Csv) -> None:
    with pytest.raises(
        DataError, match="the column 'close' twice.*rule 'each column once' is broken; rename or delete"
    ):
        csv("date,close,close\n2024-07-02,1,2\n", instrument="A.B")
    with pytest.raises(DataError, match="rule 'readable as CSV' is broken; write the file in UTF-8"):
        csv(b"date,close,name\n2024-07-02,1,caf\xe9\n", instrument="A.B")


def test_a_source_that_is_a_file_or_a_table(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("date,close\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"prices.csv'; it is a file; .*; name the source that reads it and give it the"
    ):
        load(str(tmp_path / "prices.csv"))
    with pytest.raises(InputError, match=r"source: got 'DataFrame'; .*; a table in memory is load\('frame', frame="):
        load(pl.DataFrame({"close": [1.0]}))  # type: ignore[arg-type]


def test_columns_of_different_lengths_are_no_table() -> None:
    with pytest.raises(InputError, match=r"frame: got .*height.*; allowed: columns of one length, each of one type"):
        load("frame", frame={"date": ["2024-07-02"], "close": [1.0, 2.0]}, licence="own data", instrument="A.B")
