"""The contract of a `Source`, as a test suite to subclass.

    from karat.data.contract import SourceContract

    class TestMySource(SourceContract):
        def make(self, **changed):
            return MySource(**{"path": "prices.db", **changed})

Set `ranged = False` for a source without `start` and `end`, and `sound = False` for one whose data break quality rules.
The numbers in the test names are those of the promises below.

1. `load` returns a `Panel`: sorted keys, known_at never before ts, Float64 values.
2. Loading twice, and from two sources made alike, gives the same content hash.
3. The provenance states source, origin and licence.
4. Instruments are named SYMBOL.VENUE.
5. `start` and `end` drop rows and change none; a range without data is an `InputError` that says what there is.
6. Parameters are flat and named; the constructor reads nothing.
7. The panel passes the strict quality gate.
"""

from __future__ import annotations

from typing import Any, ClassVar

import polars as pl

from karat.core import InputError, instrument_id, iso_date
from karat.data._panel import Panel
from karat.data._quality import check_quality
from karat.data._source import Source


class SourceContract:
    """Subclass, implement `make`, and let the test runner find it."""

    ranged: ClassVar[bool] = True
    sound: ClassVar[bool] = True

    def make(self, **changed: Any) -> Source:
        """Return a fresh source with small data; `changed` are parameters to override."""
        raise AssertionError("a contract test implements make()")

    def test_1_load_returns_a_panel(self) -> None:
        """Promise 1."""
        panel = self.make().load()
        assert isinstance(panel, Panel)
        assert len(panel.frame) > 0
        assert panel.values

    def test_2_loading_is_repeatable(self) -> None:
        """Promise 2."""
        source = self.make()
        hashes = {source.load().content_hash, source.load().content_hash, self.make().load().content_hash}
        assert len(hashes) == 1

    def test_3_provenance_is_stated(self) -> None:
        """Promise 3: an empty field cannot be constructed, a missing one can only come from a foreign class."""
        provenance = self.make().load().provenance
        assert provenance.source.strip()
        assert provenance.origin.strip()
        assert provenance.licence.strip()

    def test_4_instruments_have_ids(self) -> None:
        """Promise 4."""
        for name in self.make().load().instruments:
            assert instrument_id(name) == name

    def test_5_a_range_only_drops_rows(self) -> None:
        """Promise 5."""
        if not self.ranged:
            return
        whole = self.make().load().frame
        days = whole["ts"].unique().sort()
        first, last = (iso_date(int(days[len(days) * k // 4]) - 1) for k in (1, 3))
        part = self.make(start=first, end=last).load().frame
        assert 0 < len(part) < len(whole)
        assert part.join(whole, on=whole.columns, how="anti", nulls_equal=True).is_empty()
        inside = whole.filter(pl.col("ts").is_between(part["ts"].min(), part["ts"].max()))
        assert len(inside) == len(part)

    def test_5_an_empty_range_is_refused(self) -> None:
        """Promise 5."""
        if not self.ranged:
            return
        error = _refusal(self.make(start="1801-01-01", end="1801-12-31"))
        assert error is not None, "a range without data was accepted"
        assert "1801" in str(error)
        assert error.allowed

    def test_6_parameters_are_named(self) -> None:
        """Promise 6."""
        names = type(self.make()).parameters()
        assert all(name.isidentifier() for name in names)
        assert not {"args", "kwargs"} & set(names)

    def test_7_the_quality_gate_passes(self) -> None:
        """Promise 7."""
        assert check_quality(self.make().load(), strict=False).passed is self.sound


def _refusal(source: Source) -> InputError | None:
    try:
        source.load()
    except InputError as error:
        return error
    return None
