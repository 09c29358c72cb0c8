"""The tiers: counts, nesting, windows, and that no column is another one in disguise; each disguise is planted."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, panel
from scipy.stats import rankdata

from karat.core import NS_PER_DAY, InputError
from karat.data import KEYS, Panel, asof_join, load
from karat.features import FEATURES, TIERS, build, check_distinct, check_invariance, dictionary_pages
from karat.features._graph import columns
from karat.features._tiers import KIN

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
    assert check_distinct([real], TIERS["a500"], limit=0.9999, products=False) == ()


@pytest.mark.req("FEAT-03")
def test_every_tier_is_causal_and_its_nesting_documented() -> None:
    report = check_invariance(panel(620), "a500", cuts=2)
    assert (report.passed, report.worst, report.n_features) == (True, 0.0, 500)
    assert "`a20`, `a100`, `a250`, `a500` lie within each other" in dictionary_pages()["features.md"]


@pytest.mark.req("FEAT-13")
def test_the_registry_has_far_more_than_a_hundred_distinct_indicators(real: np.ndarray) -> None:
    """a100 clashes in no way; of all registered columns those without a twin are counted too."""
    assert check_distinct([real[:, :100]], TIERS["a100"]) == ()
    names = [name for name, spec in FEATURES.items() if spec.category not in ("raw", "signal", "regulatory")]
    made = build(panel(900), names).frame.select(names).to_numpy()
    found = check_distinct([made], names, products=False)
    twins = {clash.column for clash in found if clash.kind in ("same", "constant")}
    assert len(set(names) - twins) >= 700
    assert len({FEATURES[name].function for name in set(names) - twins}) >= 100


@pytest.fixture(scope="module")
def decade() -> np.ndarray:
    """a20 of the last 3,000 days of the bundled Nasdaq Composite."""
    made = build(load("bundled", dataset="nasdaq"), "a20")
    return made.frame.select(made.names).to_numpy()[-3000:]


def disguised(values: np.ndarray, column: np.ndarray) -> tuple[str, ...]:
    """Return what the check says of a column that is added to a20."""
    found = check_distinct([np.column_stack([values[:, :20], column])], [*TIERS["a20"], "planted"])
    return tuple(f"{clash.kind} {' '.join(clash.others)}".strip() for clash in found)


def late(column: np.ndarray, bars: int) -> np.ndarray:
    return np.concatenate([np.full(bars, np.nan), column[:-bars]])


Plant = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
"""Makes a column of a listed one, of another listed one, and of draws."""

PLANTS: dict[str, tuple[str, Plant]] = {
    "copy": ("same", lambda x, y, rng: x.copy()),
    "sign flipped": ("same", lambda x, y, rng: -x),
    "scaled": ("same", lambda x, y, rng: 3.0 * x - 7.0),
    "ranked": ("same", lambda x, y, rng: rankdata(x)),
    "transformed": ("same", lambda x, y, rng: np.exp((x - x.mean()) / x.std())),
    "1 bar late": ("lagged", lambda x, y, rng: late(x, 1)),
    "20 bars late": ("lagged", lambda x, y, rng: late(x, 20)),
    "60 bars late": ("lagged", lambda x, y, rng: late(x, 60)),
    "250 bars late": ("lagged", lambda x, y, rng: late(x, 250)),
    "product": ("product", lambda x, y, rng: x * y),
    "quotient": ("product", lambda x, y, rng: np.divide(x, y, out=np.full(len(x), np.nan), where=y != 0.0)),
    "sum": ("sum", lambda x, y, rng: x / x.std() + y / y.std()),
    "difference": ("sum", lambda x, y, rng: 0.3 * x / x.std() - 0.7 * y / y.std()),
    "noise of 2 %": ("noise", lambda x, y, rng: x + 0.02 * x.std() * rng.normal(size=len(x))),
    "noise of 10 %": ("noise", lambda x, y, rng: x + 0.1 * x.std() * rng.normal(size=len(x))),
    "noise of 30 %": ("noise", lambda x, y, rng: x + 0.3 * x.std() * rng.normal(size=len(x))),
    "noise of 100 %": ("noise", lambda x, y, rng: x + x.std() * rng.normal(size=len(x))),
    "noise with heavy tails": ("noise", lambda x, y, rng: x + 0.2 * x.std() * rng.standard_t(3, len(x))),
    "noise in proportion": ("noise", lambda x, y, rng: x * (1.0 + 0.3 * rng.normal(size=len(x)))),
    "noise on ranks": ("noise", lambda x, y, rng: rankdata(-x) / len(x) + 0.1 * rng.normal(size=len(x))),
    "noise on a cube": ("noise", lambda x, y, rng: np.cbrt(x) + 0.2 * np.cbrt(x).std() * rng.normal(size=len(x))),
    "noise on an older value": ("noise", lambda x, y, rng: late(x, 3) + 0.3 * x.std() * rng.normal(size=len(x))),
}


@pytest.mark.req("FEAT-03")
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 10))])
@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_disguise_of_any_kind_is_seen_through(plant: str, seed: int, decade: np.ndarray) -> None:
    """Columns and draws differ from seed to seed; the clash names the planted column and what it is made of."""
    rng = np.random.Generator(np.random.PCG64([seed, *plant.encode()]))
    one, other = rng.permutation(20)[:2]
    kind, make = PLANTS[plant]
    column = make(decade[:, one], decade[:, other], rng)
    found = check_distinct(
        [np.column_stack([decade, column])], [*TIERS["a20"], "planted"], products=kind in ("product", "sum")
    )
    assert found, TIERS["a20"][one]
    # a slow column of a bar ago, and one with little noise, is the column itself by the rule of 0.995
    allowed = {kind, "same"} if kind in ("noise", "lagged", "sum", "product") else {kind}
    assert {clash.kind for clash in found} <= allowed | {"lagged"}
    assert all("planted" in (clash.column, *clash.others) for clash in found)
    sources = {TIERS["a20"][one], TIERS["a20"][other]}
    assert any(sources & {clash.column, *clash.others} for clash in found)


@pytest.mark.req("FEAT-03")
def test_no_column_of_a20_is_taken_for_a_disguise(decade: np.ndarray) -> None:
    assert check_distinct([decade], TIERS["a20"]) == ()
    for first in (0, 250, 500):
        assert check_distinct([decade[first : first + 2500]], TIERS["a20"], products=False) == ()
    noise = np.random.Generator(np.random.PCG64(3)).normal(size=len(decade))
    assert disguised(decade, noise) == ()  # of its own, if of no use: invariance and parity see that it is drawn


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
    with pytest.raises(
        InputError, match=r"complete rows: got 0; .*allowed: 60 of one instrument or more; load a longer"
    ):
        check_distinct([np.full((90, 2), np.nan)], ["a", "b"])


@pytest.mark.req("FEAT-03")
@pytest.mark.realdata
@pytest.mark.slow
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
    kin = {frozenset({clash.column, *clash.others}) for clash in check_distinct([whole], TIERS["a500"], kin=())}
    assert kin == KIN
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

    made_of = panel(300, instruments=("A.XNYS", "B.XNYS", "C.XNYS", "D.XNYS", "E.XNYS"))
    specs = [FEATURES[name] for name in TIERS["a500"]]
    made = []
    for threads in (1, 3):
        out = np.empty((500, len(made_of.frame)))
        compute_nodes(
            columns_of(made_of.frame, specs), made_of.blocks, [spec.expression for spec in specs],
            [spec.inputs for spec in specs], out, threads=threads,
        )  # fmt: skip
        made.append(out)
    np.testing.assert_array_equal(*made)
    alone = [build(Panel(part, "XNYS", PROVENANCE), "a500").frame for part in made_of.frame.partition_by("instrument")]
    assert build(made_of, "a500").frame.equals(pl.concat(alone))
