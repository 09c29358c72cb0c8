"""karat simulate: profiles, files in, words and one JSON object out, traces, pictures, and what users get wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from cli_factory import Said, karat

from karat.data import Instrument, events_from_quotes, order_flow, write_events
from karat.market import PROFILES

BARS = """ts,instrument,open,high,low,close,volume
2024-01-02T15:00:00Z,ABC.XNYS,100.00,100.20,99.90,100.10,900
2024-01-02T16:00:00Z,ABC.XNYS,100.10,100.60,100.00,100.50,1200
2024-01-02T17:00:00Z,ABC.XNYS,100.40,100.50,99.70,99.80,800
2024-01-02T18:00:00Z,ABC.XNYS,99.90,100.00,99.20,99.40,700
"""
ORDERS = """action,id,ts,instrument,side,quantity,type,price,stop,parent
order,1,2024-01-02T15:00:00Z,ABC.XNYS,buy,10,market,,,
order,2,2024-01-02T15:00:00Z,ABC.XNYS,sell,10,stop,,99.50,1
order,3,2024-01-02T15:00:00Z,ABC.XNYS,buy,5,limit,98.00,,
amend,3,2024-01-02T16:00:00Z,ABC.XNYS,,,,99.75,,
order,4,2024-01-02T16:00:00Z,ABC.XNYS,sell,10,limit,150.00,,
cancel,4,2024-01-02T17:00:00Z,,,,,,,
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with bars and orders."""
    (tmp_path / "bars.csv").write_text(BARS, encoding="utf-8")
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    return tmp_path


def simulate(place: Path, *words: object) -> Said:
    """Run the verb on the folder's files."""
    return karat("simulate", place / "bars.csv", place / "orders.csv", *words)


def test_orders_of_a_file_do_what_they_say(place: Path) -> None:
    said = simulate(place, "--json", "--trace", place / "trace")
    assert said.code == 0
    fills = pl.read_parquet(place / "trace" / "fills.parquet")
    assert fills.select("order", "price", "liquidity").rows() == [
        (1, 100.10, "taker"),
        (3, 99.75, "maker"),
        (2, 99.50, "taker"),
    ]
    assert said.facts["telemetry"]["messages"]["cancelled"] == 1
    assert said.facts["telemetry"]["messages"]["amended"] == 1
    assert said.facts["profile"] == "frictionless"
    assert said.err.splitlines() == ["reading the events", "simulating 6 orders on 4 rows"]


@pytest.mark.req("SIM-02")
def test_the_trace_holds_what_the_totals_say(place: Path) -> None:
    options = ("--simulator-profile", "us_stocks_retail", "--execution-trace-export", place / "trace")
    facts = simulate(place, *options, "--json").facts
    fills = pl.read_parquet(place / "trace" / "fills.parquet")
    run = json.loads((place / "trace" / "run.json").read_text(encoding="utf-8"))
    assert run["telemetry"]["fees"] == pytest.approx(fills["fee"].sum())
    assert facts["costs"]["USD"]["fees"] == pytest.approx(float(facts["money"]["USD"]["charges"]))
    assert facts["costs"]["USD"]["slippage"] == pytest.approx(fills["slippage"].sum())
    assert fills["fee"].to_list() == [1.0, 1.0, 1.0]  # the least of each order
    for name in ("fill_rate", "entry_latency_ns", "slippage", "fees", "funding"):
        assert name in run["telemetry"]
    summary = json.loads((place / "trace" / "summary.json").read_text(encoding="utf-8"))
    assert summary == {key: value for key, value in facts.items() if key not in ("trace", "plot")}
    assert sum(row["orders"] for row in summary["latency_histogram"]) == run["telemetry"]["messages"]["accepted"]
    assert facts["trace"] == str(place / "trace")
    equity = pl.read_parquet(place / "trace" / "equity.parquet")["equity"]
    money = facts["money"]["USD"]
    assert equity[-1] == pytest.approx(float(money["cash"]) + float(money["positions"]))


def test_the_words_name_money_costs_and_the_profile(place: Path) -> None:
    text = simulate(place, "--profile", "us_stocks_retail").out
    assert text.startswith("profile    us_stocks_retail\nmarket     4 rows of 1 instrument, 2024-01-02T15:00:00Z to")
    for words in ("money in USD", "costs in USD", "after all costs", "fills      3, 1 of them as maker"):
        assert words in text


def test_profiles_are_listed_with_every_number() -> None:
    assert [line.split()[0] for line in karat("simulate", "--profiles").out.splitlines()] == ["profile", *PROFILES]
    facts = karat("simulate", "--profiles", "--json").facts["profiles"]
    assert facts["crypto_perpetual"]["terms"]["fee"]["taker_bps"] == 5
    assert set(facts) == set(PROFILES)


def test_a_terms_file_goes_over_the_profile(place: Path) -> None:
    terms = "instruments: {ABC.XNYS: {lot: 5}}\nvenue:\n  cash: {USD: 500}\n  terms: {slippage: {kind: none}}\n"
    (place / "terms.yaml").write_text(terms, encoding="utf-8")
    said = simulate(place, "--profile", "us_stocks_retail", "--terms", place / "terms.yaml", "--json")
    assert said.facts["money"]["USD"]["start"] == "500.00000000"
    assert said.facts["costs"]["USD"]["slippage"] == 0.0
    assert said.facts["costs"]["USD"]["fees"] > 0  # the profile's own
    assert said.facts["telemetry"]["refused_by_reason"] == {"funds": 2, "parent": 1}


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_other_forms_of_the_same_files_give_the_same(suffix: str, place: Path) -> None:
    want = simulate(place, "--json").facts
    orders = pl.read_csv(place / "orders.csv")
    if suffix == ".parquet":
        orders.write_parquet(place / "orders.parquet")
        pl.read_csv(place / "bars.csv", try_parse_dates=True).write_parquet(place / "bars.parquet")
    else:
        orders.write_ndjson(place / "orders.jsonl")
    bars = place / ("bars.parquet" if suffix == ".parquet" else "bars.csv")
    assert karat("simulate", bars, place / f"orders{suffix}", "--json").facts == want


def test_a_folder_of_events_is_read(place: Path) -> None:
    start = 1_704_207_600_000_000_000
    quotes = {"ts": [start, start + 5], "bid": [9.9, 9.9], "bid_size": [3, 3], "ask": [10.0, 10.0], "ask_size": [4, 9]}
    write_events(place / "quotes", events_from_quotes(quotes, Instrument("ABC.XNYS")))
    (place / "orders.csv").write_text(f"id,ts,instrument,side,quantity\n1,{start},ABC.XNYS,buy,6\n", encoding="utf-8")
    facts = karat("simulate", place / "quotes", place / "orders.csv", "--json").facts
    assert facts["telemetry"]["fills"] == 2
    assert facts["money"]["USD"]["cash"] == "999940.00000000"


def test_single_orders_are_read_and_drawn(place: Path) -> None:
    flow = order_flow(600, seed=2, instrument=Instrument("ABC.XNYS")).level3
    write_events(place / "flow", flow)
    sent = int(flow.ts[400])
    (place / "orders.csv").write_text(f"id,ts,instrument,side,quantity\n1,{sent},ABC.XNYS,buy,6\n", encoding="utf-8")
    given = ("simulate", place / "flow", place / "orders.csv", "--plot", place / "flow.svg", "--json")
    facts = karat(*given).facts
    assert facts["telemetry"]["rows"] == 600
    assert facts["telemetry"]["fill_rate"] == 1.0
    assert "<svg" in (place / "flow.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_picture_is_drawn(suffix: str, place: Path) -> None:
    said = simulate(place, "--plot", place / "new" / f"run.{suffix}")
    assert said.out.rstrip().endswith(f"plot       {place / 'new' / f'run.{suffix}'}")
    content = (place / "new" / f"run.{suffix}").read_bytes()
    assert content.startswith(b"\x89PNG") if suffix == "png" else b"<svg" in content


def test_a_market_that_stops_leaves_its_trace(place: Path) -> None:
    start = 1_704_207_600_000_000_000
    orders = f"id,ts,instrument,side,quantity\n1,{start},ABC.XNYS,buy,10\n2,{start + 10},ABC.XNYS,buy,9000000000000\n"
    (place / "orders.csv").write_text(orders, encoding="utf-8")
    said = simulate(place, "--trace", place / "trace")
    assert said.code == 2
    assert "what came before is in" in said.err
    assert "money_quantum" in said.err
    assert pl.read_parquet(place / "trace" / "fills.parquet")["order"].to_list() == [1]


def change(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Return an edit of one of the files."""

    def edit(place: Path) -> None:
        text = (place / name).read_text(encoding="utf-8")
        assert old in text
        (place / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def write(name: str, text: str) -> Callable[[Path], None]:
    """Return an edit that writes a file."""
    return lambda place: (place / name).write_text(text, encoding="utf-8") and None


MISTAKES = {
    "no_such_bars": (lambda place: (place / "bars.csv").unlink(), (), "events: got", "no such file"),
    "no_such_orders": (lambda place: (place / "orders.csv").unlink(), (), "orders: got", "no such file"),
    "unknown_profile": (None, ("--profile", "us_stock_retail"), "profile: got 'us_stock_retail'", "did you mean"),
    "bad_plot": (None, ("--plot", "run.txt"), "--plot: got 'run.txt'", ".svg, .png"),
    "no_such_terms": (None, ("--terms", "nope.yaml"), "terms: got 'nope.yaml'", "no such file"),
    "naive_time": (
        change("bars.csv", "15:00:00Z", "15:00:00"),
        (),
        "row 1 is not a time with a zone",
        "Z or an offset",
    ),
    "bad_column": (change("bars.csv", "close", "closing"), (), "column: got 'closing'", "did you mean 'close'"),
    "off_tick": (change("bars.csv", "100.60", "100.605"), (), "whole multiple of the tick 0.01", "100.605"),
    "bad_range": (change("bars.csv", "100.60", "99.00"), (), "low <= open and close <= high", "correct the bar"),
    "no_prices": (change("bars.csv", "100.60", "many"), (), "bars.csv row 2, high: got 'many'", "a number"),
    "price_nan": (change("bars.csv", "100.20", "nan"), (), "bars.csv row 1, high: got 'nan'", "a number"),
    "price_empty": (change("bars.csv", "100.20", ""), (), "rule 'high is a number' is broken at row 0", "fill it in"),
    "date_column": (
        change("bars.csv", "ts,", "date,"),
        (),
        "column: got 'date'",
        "did you mean 'ts'? rename it",
    ),
    "symbol_column": (
        change("bars.csv", "instrument", "symbol"),
        (),
        "column: got 'symbol'",
        "did you mean 'instrument'?",
    ),
    "bars_without_rows": (write("bars.csv", BARS.splitlines()[0] + "\n"), (), "it has a header and no row", "one bar"),
    "bars_empty": (write("bars.csv", ""), (), "events: got 'bars.csv'; empty CSV", "a table with a header"),
    "bars_unsorted": (
        change("bars.csv", "2024-01-02T17", "2024-01-02T14"),
        (),
        "bars.csv row 3, ts: got '2024-01-02T14:00:00Z'; it is before the bar above, 2024-01-02T16:00:00Z",
        "sort the rows by ts",
    ),
    "bars_twice": (
        change("bars.csv", "2024-01-02T17", "2024-01-02T16"),
        (),
        "bars.csv row 3, ts: got '2024-01-02T16:00:00Z'; an earlier row has this time too",
        "each bar once",
    ),
    "files_swapped": (
        lambda place: (place / "orders.csv").rename(place / "bars.csv") and None,
        (),
        "column: got 'action'",
        "it looks like a file of orders: the bars come first, then the orders",
    ),
    "seconds": (
        write("orders.csv", "id,ts,instrument,side,quantity\n1,1704207600,ABC.XNYS,buy,1\n"),
        (),
        "orders.csv row 1, ts: got 1704207600; it is 1970-01-01T00:00:01",
        "not seconds",
    ),
    "trace_is_a_file": (None, ("--trace", "bars.csv"), "--trace: got 'bars.csv'; it is a file", "give a folder"),
    "unknown_action": (change("orders.csv", "amend", "change"), (), "orders.csv row 4, action: got 'change'", "amend"),
    "unknown_side": (change("orders.csv", "buy", "long"), (), "orders.csv row 1, side: got 'long'", "buy, sell"),
    "unknown_type": (change("orders.csv", "market", "markt"), (), "row 1, type: got 'markt'", "did you mean 'market'"),
    "unknown_column": (change("orders.csv", "stop,", "stopp,"), (), "column: got 'stopp'", "did you mean 'stop'"),
    "order_off_tick": (change("orders.csv", "98.00", "98.005"), (), "row 3, price", "98.00 and 98.01"),
    "half_a_lot": (change("orders.csv", ",10,market", ",10.5,market"), (), "row 1, quantity", "multiples of 1"),
    "nan": (change("orders.csv", ",10,market", ",nan,market"), (), "row 1, quantity: got 'nan'", "a finite number"),
    "missing_id": (change("orders.csv", "order,1,", "order,,"), (), "row 1, id: got None", "fill it in"),
    "bad_time": (change("orders.csv", "2024-01-02T15:00:00Z", "noon"), (), "row 1, ts: got 'noon'", "ISO 8601"),
    "time_back": (
        change("orders.csv", "amend,3,2024-01-02T16", "amend,3,2024-01-01T16"),
        (),
        "row 4, ts",
        "sort the rows",
    ),
    "strange_instrument": (change("orders.csv", "ABC.XNYS", "XYZ.XNYS"), (), "row 1, instrument", "ABC.XNYS"),
    "cell_that_does_not_apply": (
        change("orders.csv", "cancel,4,2024-01-02T17:00:00Z,,", "cancel,4,2024-01-02T17:00:00Z,,buy"),
        (),
        "row 6, side: got 'buy'",
        "a row with action 'cancel' has no side",
    ),
    "terms_key": (
        write("t.yaml", "venue: {cahs: {USD: 1}}"),
        ("--terms", "t.yaml"),
        "venue.cahs",
        "did you mean 'cash'",
    ),
    "terms_not_yaml": (write("t.yaml", "venue: {"), ("--terms", "t.yaml"), "not valid YAML", "line"),
    "other_currency": (
        write("t.yaml", "instruments: {ABC.XNYS: {currency: EUR}}"),
        ("--terms", "t.yaml"),
        "ABC.XNYS trades in EUR",
        "give it cash",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_place_and_its_cure(
    mistake: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit, words, what, cure = MISTAKES[mistake]
    monkeypatch.chdir(place)
    if edit is not None:
        edit(place)
    said = simulate(place, *words)
    assert said.code == 2, said.err
    assert what in said.err, said.err
    assert cure in said.err, said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("orders", "note"),
    [
        ("", "NO TRADES: no order was sent."),
        (
            "1,2030-01-02T15:00:00Z,ABC.XNYS,buy,1\n",
            "1 order sent after the last row of the data, when nothing could fill any.",
        ),
    ],
    ids=["none", "too_late"],
)
def test_a_run_without_trades_says_why(orders: str, note: str, place: Path) -> None:
    (place / "orders.csv").write_text("id,ts,instrument,side,quantity\n" + orders, encoding="utf-8")
    said = simulate(place)
    assert said.code == 0
    assert note in said.out
    assert "NO TRADES" in said.out


def test_files_that_are_missing_on_the_line_are_asked_for() -> None:
    said = karat("simulate", "--json")
    assert said.code == 2
    assert said.facts["message"].startswith("EVENTS: got None; it is missing")
