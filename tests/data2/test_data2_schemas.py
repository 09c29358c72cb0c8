"""One good and several bad frames for every table and every joined table."""

from __future__ import annotations

import os
import subprocess
import sys

import polars as pl
import pytest

from karat.core import InputError
from karat.data._schemas import JOINS, check_frame, columns, join_tables, rules, schema
from karat.data._sqlite_schema import TABLES, primary_key

INF = float("inf")

BAD = [
    ("assets", "instrument", "spy", "instrument is SYMBOL.VENUE"),
    ("assets", "asset_class", "stonk", "asset_class is a known one"),
    ("assets", "prices", "split", "prices is a known one"),
    ("assets", "licence", " ", "licence is not empty"),
    ("assets", "source", "", "source is not empty"),
    ("assets", "tick_size", 0.0, "tick_size above zero"),
    ("assets", "lot_size", INF, "lot_size is finite"),
    ("assets", "currency", None, "no nulls in currency"),
    ("series", "frequency", "2d", "frequency is a known one"),
    ("series", "close", None, "no nulls in close"),
    ("series", "open", -1.0, "open above zero"),
    ("series", "open", INF, "open is finite"),
    ("series", "open", None, "open, high, low all given or all NULL"),
    ("series", "volume", -1.0, "volume not below zero"),
    ("series", "high", 0.01, "high is the highest price"),
    ("series", "low", 1e6, "high is the highest price"),
    ("series", "known_at", 0, "known_at is never before ts"),
    ("indicators", "value", INF, "value is finite"),
    ("indicators", "value", None, "no nulls in value"),
    ("indicators", "name", "", "name is not empty"),
    ("indicators", "known_at", 1, "known_at is never before ts"),
    ("regimes", "label", -1, "label not below zero"),
    ("regimes", "label", None, "no nulls in label"),
    ("regimes", "kind", "", "kind is not empty"),
    ("regimes", "measure", INF, "measure is finite"),
    ("regime_quantiles", "quantile", 1.0, "quantile between 0 and 1"),
    ("regime_quantiles", "valid_until_ts", 0, "valid_until_ts after fit_end_ts"),
    ("regime_quantiles", "series_hash", "abc", "series_hash is 64 hex digits"),
    ("regime_quantiles", "n_rows", 0, "n_rows above zero"),
    ("regime_quantiles", "edge", None, "no nulls in edge"),
    ("trades", "side", "short", "side is a known one"),
    ("trades", "quantity", 0.0, "quantity above zero"),
    ("trades", "price", -3.0, "price above zero"),
    ("trades", "fee", INF, "fee is finite"),
    ("trades", "instrument", None, "no nulls in instrument"),
    ("benchmarks", "benchmark", "ew", "benchmark is SYMBOL.VENUE"),
    ("benchmarks", "level", 0.0, "level above zero"),
    ("benchmarks", "known_at", 0, "known_at is never before ts"),
    ("cross_asset_views", "view_name", "", "view_name is not empty"),
    ("cross_asset_views", "feature", "", "feature is not empty"),
    ("cross_asset_views", "age_bars", -1, "age_bars not below zero"),
    ("cross_asset_views", "value", INF, "value is finite"),
    ("depth_snapshots", "side", "buy", "side is a known one"),
    ("depth_snapshots", "level", 0, "level above zero"),
    ("depth_snapshots", "price", 0.0, "price above zero"),
    ("depth_snapshots", "quantity", -1.0, "quantity above zero"),
    ("funding_costs", "rate_frac", INF, "rate_frac is finite"),
    ("funding_costs", "period_hours", 0.0, "period_hours above zero"),
    ("macro_calendar", "unit", "", "unit is not empty"),
    ("macro_calendar", "actual", None, "no nulls in actual"),
    ("macro_calendar", "known_at", 0, "known_at is never before ts"),
    ("sentiment", "score", 1.5, "score from -1 to 1"),
    ("sentiment", "n_items", -1, "n_items not below zero"),
    ("sentiment", "feed", "", "feed is not empty"),
    ("implied_volatility", "volatility", 0.0, "volatility above zero"),
    ("implied_volatility", "tenor_days", 0, "tenor_days above zero"),
    ("corporate_actions", "action", "merger", "action is a known one"),
    ("corporate_actions", "amount", 0.0, "amount above zero"),
]


def planted(frame: pl.DataFrame, column: str, value: object, row: int) -> pl.DataFrame:
    cell = pl.lit(value, dtype=frame.schema[column])
    return frame.with_columns(pl.when(pl.int_range(pl.len()) == row).then(cell).otherwise(column).alias(column))


@pytest.mark.req("QUAL-01")
@pytest.mark.parametrize("table", list(TABLES))
def test_a_good_frame_breaks_nothing(table: str, frames: dict[str, pl.DataFrame]):
    assert len(frames[table])
    assert check_frame(table, frames[table]) == ()


@pytest.mark.req("QUAL-01")
@pytest.mark.parametrize(("table", "column", "value", "rule"), BAD)
def test_a_bad_cell_breaks_its_one_rule(
    table: str, column: str, value: object, rule: str, frames: dict[str, pl.DataFrame]
):
    # The last row: a key may change without the order breaking with it only at an end, so order rules are left aside.
    row = len(frames[table]) - 1
    found = check_frame(table, planted(frames[table], column, value, row))
    found = tuple(item for item in found if not item.rule.startswith("sorted by"))
    assert [item.rule for item in found] == [rule]
    assert found[0].table == table
    assert found[0].index.tolist() == [row]
    assert len(found[0].rows) == 1
    assert found[0].remedy
    assert f"at index {row}" in found[0].cases


@pytest.mark.req("QUAL-01", "QUAL-02")
@pytest.mark.parametrize("table", list(TABLES))
def test_duplicates_and_disorder_break_one_rule_each(table: str, frames: dict[str, pl.DataFrame]):
    good, key = frames[table], ", ".join(primary_key(table))
    twice = pl.concat([good[:1], good])
    assert [(item.rule, item.index.tolist()) for item in check_frame(table, twice)] == [(f"each {key} once", [1])]
    swapped = pl.concat([good[1:2], good[:1], good[2:]])
    assert [(item.rule, item.index.tolist()) for item in check_frame(table, swapped)] == [(f"sorted by {key}", [1])]


@pytest.mark.req("QUAL-01")
@pytest.mark.parametrize("table", [*TABLES, *JOINS])
def test_columns_and_types_are_checked_alone(table: str, frames: dict[str, pl.DataFrame]):
    first = next(iter(columns(table)))
    empty = pl.DataFrame(schema={name: kind for name, (kind, _) in columns(table).items()})
    assert check_frame(table, empty) == ()
    (missing,) = check_frame(table, empty.drop(first))
    assert (missing.rule, missing.rows) == ("declared columns", (f"{first} is missing",))
    (surplus,) = check_frame(table, empty.with_columns(extra=pl.lit(1.0)))
    assert surplus.rows == ("extra is not declared",)
    (wrong,) = check_frame(table, empty.with_columns(pl.lit(1, dtype=pl.Int8).alias(first)))
    assert (wrong.rule, wrong.rows) == ("column types", (f"{first} is Int8",))
    assert wrong.remedy.startswith("give the table exactly: ")


@pytest.mark.req("QUAL-01")
@pytest.mark.parametrize("name", list(JOINS))
def test_joined_tables_have_schemas_too(name: str, frames: dict[str, pl.DataFrame]):
    join = JOINS[name]
    good = join_tables(name, frames[join.left], frames[join.right]).select(list(columns(name)))
    assert len(good)
    assert check_frame(name, good) == ()
    twice = pl.concat([good, good[-1:]])
    assert [item.rule for item in check_frame(name, twice)] == [f"each {', '.join(join.key)} once"]
    early = planted(good, "known_at", 0, 3)
    assert [item.rule for item in check_frame(name, early)] == ["known_at is never before ts"]


@pytest.mark.req("QUAL-01")
def test_a_join_is_known_when_its_later_side_is(frames: dict[str, pl.DataFrame]):
    late = frames["regimes"].with_columns(pl.col("known_at") + 7)
    joined = join_tables("series_regimes", frames["series"], late)
    assert (joined["known_at"] - joined["ts"]).unique().to_list() == [7]
    assert len(joined) == len(late)


def test_low_above_the_body_and_the_volume_rule():
    bar = {"instrument": ["A.X"], "frequency": ["1d"], "ts": [5], "known_at": [5]}
    kinds = {name: kind for name, (kind, _) in columns("series").items()}

    def rules_of(**values: float | None) -> list[str]:
        frame = pl.DataFrame({**bar, **{name: [value] for name, value in values.items()}}, schema=kinds)
        return [item.rule for item in check_frame("series", frame)]

    assert rules_of(open=2, high=3, low=2.5, close=2.7, volume=1) == ["low is the lowest price"]
    assert rules_of(open=2, high=3, low=1, close=2.7, volume=None) == []
    assert rules_of(open=2, high=3, low=1, close=2.7, volume=0) == []
    assert rules_of(open=None, high=None, low=None, close=2.7, volume=0) == []


def test_rows_are_named_by_key_and_time():
    kinds = {name: kind for name, (kind, _) in columns("benchmarks").items()}
    frame = pl.DataFrame({"benchmark": ["A.X"], "ts": [0], "known_at": [0], "level": [-1.0]}, schema=kinds)
    (found,) = check_frame("benchmarks", frame)
    assert found.rows == ("A.X/1970-01-01T00:00:00Z",)
    assert found.severity == "error"


def test_many_failure_cases_are_shortened(frames: dict[str, pl.DataFrame]):
    (found,) = check_frame("benchmarks", frames["benchmarks"].with_columns(level=pl.lit(-1.0)))
    assert len(found.rows) == len(frames["benchmarks"])
    assert found.cases.splitlines()[-1] == f"(+{len(found.rows) - 10} more)"


def test_an_unknown_table_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"table: got 'serie'; allowed: assets, .*; did you mean 'series'\?"):
        check_frame("serie", pl.DataFrame())
    with pytest.raises(InputError, match="table: got 'x'"):
        join_tables("x", pl.DataFrame(), pl.DataFrame())


def test_rule_names_are_unique_within_a_table():
    for table in [*TABLES, *JOINS]:
        names = [rule.name for rule in rules(table)]
        assert len(names) == len(set(names)), table
        assert schema(table) is schema(table)


@pytest.mark.req("QUAL-03")
def test_the_environment_cannot_switch_the_gate_off():
    code = (
        "import polars as pl\nfrom karat.data._schemas import check_frame, columns\n"
        "kinds = {name: kind for name, (kind, _) in columns('benchmarks').items()}\n"
        "row = {'benchmark': ['A.X'], 'ts': [0], 'known_at': [0], 'level': [-1.0]}\n"
        "assert check_frame('benchmarks', pl.DataFrame(row, schema=kinds))\n"
    )
    off = {"PANDERA_VALIDATION_ENABLED": "False", "PANDERA_VALIDATION_DEPTH": "SCHEMA_ONLY"}
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **off})
