"""Data larger than memory: parts of a few instruments hold what one build gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_factory import panel

from karat.core import DataError, InputError
from karat.data import Panel
from karat.features import TIERS, build, build_files, resolve_file

NAMES = ("A.XNYS", "B.XNYS", "C.XNYS", "D.XNYS", "E.XNYS")


@pytest.mark.parametrize(("dtype", "kind"), [("float32", pl.Float32), ("float64", pl.Float64)])
def test_parts_hold_what_one_build_gives(tmp_path: Path, dtype: str, kind: pl.DataType) -> None:
    made_of = panel(330, instruments=NAMES)
    source = tmp_path / "bars.parquet"
    made_of.frame.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(source)
    parts = build_files(source, tmp_path / "out", "a100", dtype=dtype, chunk=2)  # type: ignore[arg-type]
    assert [part.name for part in parts] == ["part-0000.parquet", "part-0001.parquet", "part-0002.parquet"]
    found = pl.concat([pl.read_parquet(part) for part in parts])
    wanted = build(made_of, "a100").frame
    assert found.columns == wanted.columns
    assert set(found.select(TIERS["a100"]).dtypes) == {kind}
    assert found["instrument"].to_list() == wanted["instrument"].to_list()
    cast = wanted.select(pl.col(TIERS["a100"]).cast(kind)).to_numpy()
    np.testing.assert_array_equal(found.select(TIERS["a100"]).to_numpy(), cast)
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".parquet"] * 3


def test_a_wrong_type_or_file_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "bars.parquet"
    with pytest.raises(InputError, match="dtype: got 'float16'; allowed: float32, float64"):
        build_files(source, tmp_path, "a20", dtype="float16")  # type: ignore[arg-type]
    panel(30).frame.drop("known_at").write_parquet(source)
    with pytest.raises(InputError, match="known_at is missing"):
        build_files(source, tmp_path / "out", "a20")


def test_a_file_that_serves_no_feature_is_refused_as_a_panel_is(tmp_path: Path) -> None:
    source = tmp_path / "bars.parquet"
    panel(30, columns=("close",)).frame.write_parquet(source)
    why = (
        r"bars\.parquet can serve none of them, for example vix_close: needs vix; the panel has close; .*join a source"
    )
    with pytest.raises(InputError, match=why):
        build_files(source, tmp_path / "out", "vix8")
    panel(30, columns=("close",)).frame.rename({"close": "vixx"}).write_parquet(source)
    with pytest.raises(InputError, match=r"did you mean the column 'vixx'\? rename it with columns: \{vixx: vix\}"):
        build_files(source, tmp_path / "out", "vix8")


def test_every_part_has_the_features_that_the_whole_file_can_serve(tmp_path: Path) -> None:
    """One instrument of another chunk has no volume: its features are absent everywhere, as in one build."""
    made_of = panel(60, instruments=NAMES)
    silent = pl.when(pl.col("instrument") == "D.XNYS").then(0.0).otherwise("volume").alias("volume")
    frame = made_of.frame.with_columns(silent)
    frame.write_parquet(tmp_path / "bars.parquet")
    specs, absent = resolve_file(tmp_path / "bars.parquet", ["ret_1", "mfi_14"])
    assert [spec.name for spec in specs] == ["ret_1"]
    assert absent == {"mfi_14": "needs volume, which is empty for D.XNYS"}
    build_files(tmp_path / "bars.parquet", tmp_path / "out", ["ret_1", "mfi_14"], chunk=2)
    found = pl.read_parquet(tmp_path / "out" / "*.parquet").sort("instrument", "ts")
    wanted = build(Panel(frame, made_of.calendar, made_of.provenance), ["ret_1", "mfi_14"]).frame
    assert found.equals(wanted)
    with pytest.raises(InputError, match=r"can serve none of them, for example mfi_14: needs volume, which is empty"):
        build_files(tmp_path / "bars.parquet", tmp_path / "other", ["mfi_14"], chunk=2)
    assert not (tmp_path / "other").exists()


def test_old_parts_odd_chunks_and_rows_without_an_instrument_are_refused(tmp_path: Path) -> None:
    source, made_of = tmp_path / "bars.parquet", panel(60, instruments=NAMES)
    made_of.frame.write_parquet(source)
    build_files(source, tmp_path / "out", ["ret_1"])
    with pytest.raises(InputError, match=r"out: got '.*out'; it holds parts of an earlier build.*delete part-0000"):
        build_files(source, tmp_path / "out", ["ret_5"])
    for chunk in (0, -1, 1.5):
        with pytest.raises(InputError, match="chunk: got .*; allowed: instruments in memory at a time, 1 or more"):
            build_files(source, tmp_path / "new", ["ret_1"], chunk=chunk)  # type: ignore[arg-type]
    made_of.frame.clear().write_parquet(source)
    with pytest.raises(DataError, match=r"bars\.parquet: got 'none'; rule 'holds rows' is broken"):
        build_files(source, tmp_path / "new", ["ret_1"])
    with pytest.raises(InputError, match="source: got '.*'; it is a folder; name a file in it"):
        build_files(tmp_path / "out", tmp_path / "new", ["ret_1"])
    nameless = pl.when(pl.int_range(pl.len()) < 3).then(None).otherwise("instrument").alias("instrument")
    made_of.frame.with_columns(nameless).write_parquet(source)
    with pytest.raises(DataError, match=r"bars\.parquet: got 'rows without one'; rule 'every row has an instrument'"):
        build_files(source, tmp_path / "new", ["ret_1"])
