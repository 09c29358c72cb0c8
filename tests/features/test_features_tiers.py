"""The tiers: counts, nesting, windows, and that no column is another one in disguise; each disguise is planted."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, panel

from karat.core import NS_PER_DAY, InputError
from karat.data import KEYS, Panel, asof_join, load
from karat.features import FEATURES, TIERS, build, check_distinct
from karat.features._graph import columns

NESTED = ("a20", "a100", "a250", "a500")


@pytest.mark.req("FEAT-03", "FEAT-13")
def test_tiers_have_their_counts_and_nest() -> None:
    assert [len(TIERS[tier]) for tier in NESTED] == [20, 100, 250, 500]
    for smaller, larger in pairwise(NESTED):
        assert TIERS[larger][: len(TIERS[smaller])] == TIERS[smaller]
    assert all(len(set(TIERS[tier])) == len(TIERS[tier]) for tier in TIERS)


@pytest.mark.req("FEAT-03")
def test_a_function_has_at_most_five_windows_of_at_least_five_bars() -> None:
    windows = defaultdict(list)
    for name in TIERS["a500"]:
        windows[FEATURES[name].function].append(FEATURES[name].window)
    assert max(len(each) for each in windows.values()) <= 5
    assert all(w == 0 or w >= 5 for each in windows.values() for w in each)
    assert all(len(set(each)) == len(each) for each in windows.values())
    assert len(windows) >= 140


@pytest.mark.req("FEAT-03")
def test_tiers_need_bars_an_index_and_the_vix_only() -> None:
    needed = {name for tier in NESTED for feature in TIERS[tier] for name in FEATURES[feature].inputs}
    assert needed == {"open", "high", "low", "close", "volume", "vix", "index", "ts"}
    for spec in FEATURES.values():
        assert spec.inputs == columns(spec.expression)


@pytest.mark.req("FEAT-03", "FEAT-16", "FEAT-17", "FEAT-18", "FEAT-19", "FEAT-25", "FEAT-34")
def test_the_tiers_have_what_was_asked_for() -> None:
    asked = {
        *("parkinson", "garman_klass", "rogers_satchell", "yang_zhang", "amihud", "roll", "corwin_schultz"),
        *("hurst", "dfa", "permutation_entropy", "haar2", "daubechies2", "fourier5", "half_year_sine", "same_weekday"),
    }
    assert asked <= {FEATURES[name].function for name in TIERS["a100"]}


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    """a500 of the bundled Nasdaq Composite, 2014 to 2018: the years that have a bundled VIX."""
    index = load("bundled", dataset="sp500")
    index = Panel(index.frame.select(*KEYS, pl.col("close").alias("index")), index.calendar, index.provenance)
    joined = asof_join(load("bundled", dataset="nasdaq"), index, columns=["index"])
    joined = asof_join(joined, load("bundled", dataset="vix"), columns=["vix"])
    made = build(joined, "a500")
    assert not made.absent
    return made.frame.select(made.names).to_numpy()


@pytest.mark.req("FEAT-03")
def test_no_two_columns_are_the_same_on_bundled_data(real: np.ndarray) -> None:
    assert np.isfinite(real).all(axis=1).sum() > 700
    a250 = real[:, :250]
    assert check_distinct([a250], TIERS["a250"], products=False) == ()


def disguised(values: np.ndarray, column: np.ndarray) -> tuple[str, ...]:
    """Return what the check says of a column that is added to a20."""
    found = check_distinct([np.column_stack([values[:, :20], column])], [*TIERS["a20"], "planted"])
    return tuple(f"{clash.kind} {' '.join(clash.others)}".strip() for clash in found)


def test_planted_disguises_are_seen_through(real: np.ndarray) -> None:
    place = {name: k for k, name in enumerate(TIERS["a20"])}
    ret, vol, adx = (real[:, place[name]] for name in ("ret_20", "realised_vol_20", "adx_14"))
    noise = np.random.Generator(np.random.PCG64(3)).normal(size=len(ret))
    assert disguised(real, ret.copy())[0] == "same ret_20"
    assert disguised(real, -np.exp(3 * ret))[0] == "same ret_20"
    assert disguised(real, np.argsort(np.argsort(np.nan_to_num(ret))).astype(float))[0] == "same ret_20"
    assert disguised(real, ret + 0.03 * np.nanstd(ret) * noise)[0] == "same ret_20"
    assert disguised(real, np.concatenate([[np.nan], ret[:-1]])) == ("lagged ret_20",)
    assert disguised(real, np.concatenate([np.full(11, np.nan), adx[:-11]])) == ("lagged adx_14",)
    assert "product realised_vol_20 adx_14" in "".join(disguised(real, vol * adx)).replace(
        "adx_14 realised_vol_20", "realised_vol_20 adx_14"
    )
    assert any(text.startswith("product") for text in disguised(real, ret / vol))
    assert disguised(real, np.full(len(ret), 2.0)) == ("constant",)
    assert disguised(real, noise) == ()


def test_the_same_is_judged_by_the_median_of_the_parts(real: np.ndarray) -> None:
    rng = np.random.Generator(np.random.PCG64(4))
    twins, strangers = [np.column_stack([x, x]) for x in rng.normal(size=(2, 80))], rng.normal(size=(3, 80, 2))
    assert check_distinct([*twins, *strangers], ["a", "b"], products=False) == ()
    (found,) = check_distinct([twins[0], *twins, strangers[0]], ["a", "b"], products=False)
    assert str(found) == "b is a up to a monotone transform (|rank correlation| 1.0000)"
    assert (found.column, found.others) == ("b", ("a",))
    with pytest.raises(InputError, match=r"parts: got \[90\]; allowed: 60 rows without NaN in one of them"):
        check_distinct([np.full((90, 2), np.nan)], ["a", "b"])


@pytest.mark.req("FEAT-03")
@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a500_is_distinct_on_twenty_years_of_the_nasdaq_and_on_88_stocks(karat_data: Path) -> None:
    market = daily_market(karat_data)
    nasdaq = build(market(load("bundled", dataset="nasdaq").frame), "a500")
    stocks = []
    for path in sorted((karat_data / "panel" / "stocknet").glob("*.csv.gz")):
        made = build(market(bars_of(path)), "a500").frame.select(TIERS["a500"]).to_numpy()
        stocks += [made] if np.isfinite(made).all(axis=1).sum() >= 400 else []
    assert len(stocks) >= 80
    whole = nasdaq.frame.select(TIERS["a500"]).to_numpy()
    assert np.isfinite(whole).all(axis=1).sum() > 4_000
    assert check_distinct([whole], TIERS["a500"]) == ()
    assert [clash for clash in check_distinct(stocks, TIERS["a500"], products=False) if clash.kind == "same"] == []


@pytest.fixture
def karat_data() -> Path:
    folder = Path(os.environ.get("KARAT_DATA", "../shared/data"))
    assert folder.is_dir(), f"{folder} is missing: set KARAT_DATA to the folder of real data"
    return folder


def bars_of(path: Path) -> pl.DataFrame:
    """Daily bars of one stock, stamped at 21:00 UTC of their day."""
    names = ("open", "high", "low", "close", "volume")
    raw = pl.read_csv(path, null_values="null").rename(str.lower).with_columns(pl.col("date").str.to_date())
    close = pl.col("date").cast(pl.Int64) * NS_PER_DAY + 21 * NS_PER_DAY // 24
    return raw.select(
        close.alias("ts"),
        close.alias("known_at"),
        pl.lit(path.name).alias("instrument"),
        *[pl.col(n).cast(pl.Float64) for n in names],
    )


def daily_market(folder: Path):  # type: ignore[no-untyped-def]
    """Return a function that joins the VIX and the S&P 500 to bars by date."""
    day = ((pl.col("ts") - 1) // NS_PER_DAY).cast(pl.Int32).cast(pl.Date).alias("day")
    vix = pl.read_csv(folder / "vix" / "vix-daily.csv.gz").rename(str.lower)
    vix = vix.select(pl.col("date").str.to_date().alias("day"), pl.col("close").alias("vix"))
    index = load("bundled", dataset="sp500").frame.select(day, pl.col("close").alias("index"))

    def join(frame: pl.DataFrame) -> Panel:
        made = frame.with_columns(day).join(vix, on="day", how="left").join(index, on="day", how="left")
        return Panel(made.drop("day").sort("instrument", "ts"), "XNYS", PROVENANCE)

    return join


@pytest.mark.req("FEAT-13")
def test_parallel_is_serial() -> None:
    from karat.features._build import columns_of
    from karat.features._engine import compute_nodes
    from karat.features._rows import blocks

    made_of = panel(300, instruments=("A.XNYS", "B.XNYS", "C.XNYS", "D.XNYS", "E.XNYS"))
    specs = [FEATURES[name] for name in TIERS["a500"]]
    made = []
    for threads in (1, 3):
        out = np.empty((500, len(made_of.frame)))
        compute_nodes(
            columns_of(made_of.frame, specs), blocks(made_of.frame), [spec.expression for spec in specs],
            [spec.inputs for spec in specs], out, threads=threads,
        )  # fmt: skip
        made.append(out)
    np.testing.assert_array_equal(*made)
