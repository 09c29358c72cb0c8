"""What is published elsewhere: TA-Lib's indicators, qlib's 158, reference vectors, and truths of simulated series."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import talib
from features_factory import GOLDEN, PROVENANCE, bars, by_hand, oracle, panel

from karat.core import generator
from karat.data import Panel
from karat.features import FEATURES, TIERS, FeatureSpec, build
from karat.features._complexity import block_mean, dfa, hjorth, hurst, permutation_entropy
from karat.features._expressions import calendar, fluctuation, log
from karat.features._graph import Node, column
from karat.features._liquidity import abdi_ranaldo, amihud, corwin_schultz_pair, roll
from karat.features._spectral import DAUBECHIES_4, HAAR, wavelet
from karat.features._volatility import downside_share, garman_klass, jump_share, parkinson, rogers_satchell, yang_zhang

OHLC = ("open", "high", "low", "close")


def value(made: Node, **columns: np.ndarray) -> np.ndarray:
    """Compute an expression of hand-made columns."""
    spec = FeatureSpec("mine", tuple(columns), 0, "custom", "price", "test", "test", made)
    return build(by_hand(**columns), [spec]).frame["mine"].to_numpy()


@pytest.mark.req("FEAT-13")
@pytest.mark.parametrize("flat", [False, True])
def test_the_indicators_are_talibs(flat: bool) -> None:
    frame, row = bars(1500), pl.int_range(pl.len())
    if flat:
        still = (row < 50) | row.is_between(300, 399)
        frame = frame.with_columns([pl.when(still).then(50.0).otherwise(name).alias(name) for name in OHLC])
    made_of = Panel(frame, "XNYS", PROVENANCE)
    h, low, c, v = (made_of.frame[name].to_numpy() for name in (*OHLC[1:], "volume"))
    wanted = (
        talib.SMA(c, 14), talib.EMA(c, 14), talib.RSI(c, 14), *talib.MACD(c, 12, 26, 9), talib.ATR(h, low, c, 14),
        *talib.BBANDS(c, 20, 2.0, 2.0), *talib.STOCH(h, low, c), talib.ADX(h, low, c, 14), talib.CCI(h, low, c, 14),
        talib.MFI(h, low, c, v, 14), talib.OBV(c, v), talib.WILLR(h, low, c, 14), talib.ROC(c, 10), talib.MOM(c, 10),
        talib.TRIX(c, 15), *talib.AROON(h, low, 14), talib.NATR(h, low, c, 14), talib.PPO(c, 12, 26),
        talib.KAMA(c, 30), talib.ULTOSC(h, low, c),
    )  # fmt: skip
    made = build(made_of, "indicators")
    assert len(made.names) == len(wanted) == 26
    for name, values in zip(made.names, wanted, strict=True):
        np.testing.assert_allclose(made.frame[name], values, rtol=1e-11, atol=1e-9, err_msg=name)


def test_alpha158_has_qlibs_names() -> None:
    plain = oracle("oracle_alpha158")
    columns = {name: panel(70).frame[name].to_numpy() for name in (*OHLC, "volume")}
    assert TIERS["alpha158"][:13] == tuple(plain.alpha158(60, columns))[:13]
    assert set(TIERS["alpha158"]) == set(plain.alpha158(60, columns))
    assert len(TIERS["alpha158"]) == 158


@pytest.mark.parametrize("ties", [False, True])
def test_alpha158_equals_its_formulas(ties: bool) -> None:
    frame = bars(330, seed=5)
    if ties:
        rounded = [pl.col(name).round(0).alias(name) for name in OHLC]
        frame = frame.with_columns(rounded).with_columns((pl.col("volume") / 1e5).round(0) * 1e5)
        frame = frame.with_columns(high=pl.max_horizontal(OHLC), low=pl.min_horizontal(OHLC))
        row = pl.int_range(pl.len())
        flat, untraded = row.is_between(150, 219), (row % 11 == 7) | row.is_between(270, 276)
        frame = frame.with_columns([pl.when(flat).then(100.0).otherwise(name).alias(name) for name in OHLC])
        frame = frame.with_columns(volume=pl.when(untraded).then(0.0).otherwise("volume"))
    made = build(Panel(frame, "XNYS", PROVENANCE), "alpha158").frame
    columns = {name: frame[name].to_numpy() for name in (*OHLC, "volume")}
    plain = oracle("oracle_alpha158")
    for t in range(60, 330, 9):
        wanted = plain.alpha158(t, columns)
        found = made[t].select(TIERS["alpha158"]).row(0, named=True)
        for name, each in wanted.items():
            np.testing.assert_allclose(found[name], each, rtol=2e-3, atol=2e-4, err_msg=f"{name} in row {t}")


@pytest.fixture(scope="module")
def daily() -> dict[str, np.ndarray]:
    frame = pl.read_csv(GOLDEN / "ohlcv_daily.csv")
    return {name: frame[name].cast(pl.Float64).to_numpy() for name in (*OHLC, "volume")}


def test_volatility_estimators_equal_the_reference(daily: dict[str, np.ndarray]) -> None:
    wanted = pl.read_csv(GOLDEN / "ohlc_vol_TTR.csv", null_values=["", "NA"])
    prices = {name: daily[name] for name in OHLC}
    for name, make in (("parkinson", parkinson), ("yang.zhang", yang_zhang)):
        year = value(make(20), **prices) * np.sqrt(252)
        reference = wanted[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        both = np.isfinite(year) & np.isfinite(reference)
        assert both.sum() > 200
        np.testing.assert_allclose(year[both], reference[both], atol=1e-10)


@pytest.mark.req("FEAT-09")
def test_amihud_equals_the_reference(daily: dict[str, np.ndarray]) -> None:
    wanted = json.loads((GOLDEN / "kyle_amihud_roll.json").read_text())
    n = len(daily["close"]) - 1
    found = value(amihud(n), close=daily["close"], volume=daily["volume"])[-1]
    key = next(key for key in wanted if key.startswith("amihud_mean"))
    assert found == pytest.approx(wanted[key], rel=1e-9)


@pytest.mark.req("FEAT-34")
def test_corwin_schultz_equals_the_reference(daily: dict[str, np.ndarray]) -> None:
    wanted = float(pl.read_csv(GOLDEN / "lowfreq_spreads_bidaskR.csv")["CS2"][0])
    pairs = value(corwin_schultz_pair(), **{name: daily[name] for name in ("high", "low", "close")})
    assert np.nanmean(pairs) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.req("FEAT-34")
def test_roll_and_abdi_ranaldo_equal_the_reference(daily: dict[str, np.ndarray]) -> None:
    """Theirs is Roll's spread of log closes, all rows at once; negative spreads of two days count as none in AR2."""
    (wanted,) = pl.read_csv(GOLDEN / "lowfreq_spreads_bidaskR.csv").rows(named=True)
    logs = np.log(daily["close"])
    moves = value(roll(len(logs) - 2), close=logs) * logs
    assert moves[-1] == pytest.approx(wanted["ROLL"], rel=1e-8)
    bars = {name: daily[name] for name in ("high", "low", "close")}
    assert value(abdi_ranaldo(len(logs) - 1), **bars)[-1] == pytest.approx(wanted["AR2"], rel=1e-8)


def test_shares_of_jumps_and_of_falls_equal_the_reference() -> None:
    """R's bipower variation and semivariance of 78 returns of five minutes over their realised variance."""
    wanted = json.loads((GOLDEN / "realized_highfrequency_R.json").read_text())
    returns = pl.read_csv(GOLDEN / "rets_5min.csv")["ret_nojump"].to_numpy()
    n, whole = len(returns), wanted["ret_nojump.rRVar"]
    close = 100.0 * np.exp(np.concatenate([[0.0, 0.0], np.cumsum(returns)]))  # a first return of 0 makes the pairs n
    jumps = 1.0 - wanted["ret_nojump.rBPVar"] / whole
    assert value(jump_share(n), close=close)[-1] == pytest.approx(jumps, rel=1e-9)
    falls = wanted["ret_nojump.rSVar_down"] / whole
    assert value(downside_share(n), close=close)[-1] == pytest.approx(falls, rel=1e-9)


@pytest.mark.req("FEAT-18")
def test_permutation_entropy_equals_the_reference() -> None:
    x = np.array([4.0, 7.0, 9.0, 10.0, 6.0, 11.0, 3.0])
    found = value(permutation_entropy(column("close"), 5), close=x)[-1]
    # Bandt and Pompe 2002: five patterns of three, 1.522 bits
    assert found == pytest.approx(1.5219280948873621 / np.log2(6), rel=1e-12)
    white = generator(1, "white").normal(size=3000)
    assert value(permutation_entropy(column("close"), 2900), close=white)[-1] > 0.99
    assert value(permutation_entropy(column("close"), 2900), close=np.arange(3000.0))[-1] == pytest.approx(
        0.0, abs=1e-12
    )
    # of a sine of 60 rows the next row nearly always goes on as before: two patterns of six
    sine = np.sin(2 * np.pi * np.arange(3000) / 60)
    assert value(permutation_entropy(column("close"), 2900), close=sine)[-1] < np.log(2) / np.log(6) + 0.15


def simulated(n: int, per_day: int, sigma: float, night: float, seed: int) -> dict[str, np.ndarray]:
    """Bars of a random walk without drift: `sigma` is the deviation of the day, `night` that of the night."""
    rng = generator(seed, "simulated")
    steps = rng.normal(0, sigma / np.sqrt(per_day), (n, per_day))
    path = np.cumsum(steps, axis=1)
    opens = np.concatenate([[0.0], np.cumsum(path[:-1, -1])]) + np.cumsum(rng.normal(0, night, n))
    levels = opens[:, None] + np.concatenate([np.zeros((n, 1)), path], axis=1)
    low, high = levels.min(axis=1), levels.max(axis=1)
    return {name: np.exp(x) for name, x in (("open", opens), ("high", high), ("low", low), ("close", levels[:, -1]))}


@pytest.mark.req("FEAT-25")
def test_volatility_estimators_find_the_truth() -> None:
    prices = simulated(4000, 1000, 0.02, 0.01, seed=2)
    for make in (parkinson, garman_klass, rogers_satchell):
        # a path of 1,000 steps has its extremes between them: ranges are a few per cent short
        assert 0.95 * 0.02 < value(make(3990), **prices)[-1] < 1.01 * 0.02
    true = np.hypot(0.02, 0.01)
    assert value(yang_zhang(3990), **prices)[-1] == pytest.approx(true, rel=0.03)
    returns = np.diff(np.log(prices["close"]))
    classic = np.array([returns[k : k + 20].std(ddof=1) for k in range(0, 3900, 20)])
    ours = value(yang_zhang(20), **prices)[20::20]
    assert np.nanvar(ours**2) < 0.4 * np.var(classic**2)


@pytest.mark.req("FEAT-34")
def test_roll_recovers_a_simulated_spread() -> None:
    rng = generator(3, "roll")
    middle = 100 + np.cumsum(rng.normal(0, 0.2, 6000))
    close = middle + 0.5 * rng.choice([-1.0, 1.0], 6000)
    assert value(roll(5900), close=close)[-1] * close[-1] == pytest.approx(1.0, rel=0.08)
    trending = 100 + np.cumsum(np.repeat(rng.normal(0, 1, 600), 10))
    assert value(roll(500), close=np.abs(trending) + 1)[-1] == 0.0


def fractional_noise(hurst_exponent: float, n: int, seed: int) -> np.ndarray:
    """Exact fractional Gaussian noise by circulant embedding (Davies and Harte 1987)."""
    k = np.arange(n + 1, dtype=np.float64)
    h2 = 2 * hurst_exponent
    gamma = 0.5 * ((k + 1) ** h2 - 2 * k**h2 + np.abs(k - 1) ** h2)
    row = np.concatenate([gamma, gamma[-2:0:-1]])
    weights = np.sqrt(np.maximum(np.fft.fft(row).real, 0) / len(row))
    rng = generator(seed, "noise")
    draws = rng.normal(size=len(row)) + 1j * rng.normal(size=len(row))
    return np.asarray(np.fft.fft(weights * draws).real[:n])


@pytest.mark.req("FEAT-17")
@pytest.mark.parametrize("true", [0.3, 0.5, 0.7, 0.9])
def test_hurst_and_dfa_recover_fractional_noise(true: float) -> None:
    series = [fractional_noise(true, 4200, seed=seed) for seed in range(6)]
    found = [value(dfa(column("close"), 4096), close=x)[-1] for x in series]
    assert np.mean(found) == pytest.approx(true, abs=0.06)
    # the rescaled range of short blocks lies high for small exponents (Anis and Lloyd 1976)
    found = [value(hurst(column("close"), 4096), close=x)[-1] for x in series]
    assert np.mean(found) == pytest.approx(true, abs=0.12)


@pytest.mark.req("FEAT-16")
@pytest.mark.parametrize(("scaling", "moments"), [(HAAR, 1), (DAUBECHIES_4, 4)])
def test_wavelets_are_orthonormal_and_blind_to_polynomials(scaling: tuple[float, ...], moments: int) -> None:
    taps = np.array(scaling)
    assert taps.sum() == pytest.approx(np.sqrt(2))
    for shift in range(0, len(taps), 2):
        assert taps[shift:] @ taps[: len(taps) - shift] == pytest.approx(float(shift == 0), abs=1e-12)
    for level in (1, 2, 3):
        detail = np.array(wavelet(scaling, level))
        t = np.arange(len(detail)) / len(detail)
        for power in range(moments):
            assert detail @ t**power == pytest.approx(0.0, abs=1e-10)
        assert detail @ detail == pytest.approx(2.0**-level)


@pytest.mark.req("FEAT-16")
@pytest.mark.parametrize("scaling", [HAAR, DAUBECHIES_4])
def test_details_and_the_smooth_give_the_series_back(scaling: tuple[float, ...]) -> None:
    """Undecimated transform on a circle: each level's details, filtered back, and what is left add up to the series."""
    x = generator(6, "series").normal(size=256)

    def turned(taps: tuple[float, ...]) -> np.ndarray:
        return np.fft.fft(taps, len(x))

    details = {level: np.fft.ifft(np.fft.fft(x) * turned(wavelet(scaling, level))).real for level in range(1, 5)}
    # the weights are those of causal rows: each detail is a sum over this row and earlier ones of the circle
    by_hand = sum(weight * x[200 - k] for k, weight in enumerate(wavelet(scaling, 3)))
    assert details[3][200] == pytest.approx(by_hand)
    back = sum(
        np.fft.ifft(np.fft.fft(details[level]) * np.conj(turned(wavelet(scaling, level)))).real for level in details
    )
    smooth = np.ones(len(x), dtype=complex)
    for level in range(4):
        stretched = np.zeros(len(x))
        for k, tap in enumerate(scaling):
            stretched[(k * 2**level) % len(x)] += tap / np.sqrt(2.0)
        smooth *= np.fft.fft(stretched)
    back = back + np.fft.ifft(np.fft.fft(x) * np.abs(smooth) ** 2).real
    np.testing.assert_allclose(back, x, atol=1e-12)


@pytest.mark.req("FEAT-16")
def test_wavelet_energies_of_white_noise_add_up() -> None:
    """Undecimated details of white noise hold 1/2, 1/4, 1/8 ... of its variance."""
    frame = bars(6000).with_columns(close=np.exp(np.cumsum(generator(4, "white").normal(0, 0.01, 6000)) * 1.0))
    made = build(Panel(frame, "XNYS", PROVENANCE), ["haar1_250", "haar2_250", "daubechies1_250"]).frame[300:]
    means = made.select(pl.exclude("ts", "known_at", "instrument")).mean().row(0)
    np.testing.assert_allclose(means, [0.5, 0.25, 0.5], rtol=0.04)


@pytest.mark.req("FEAT-19")
def test_fourier_finds_a_planted_period() -> None:
    wave = 0.01 * np.sin(2 * np.pi * np.arange(400) / 10.0) + generator(5, "wave").normal(0, 0.002, 400)
    frame = bars(400).with_columns(close=np.exp(np.cumsum(wave)))
    made = build(Panel(frame, "XNYS", PROVENANCE), ["fourier3_120", "fourier5_120", "fourier10_120", "fourier20_120"])
    last = np.array(made.frame.select(made.names).row(-1))
    assert last.argmax() == 2
    assert last[2] > 0.9
    assert last[[0, 1, 3]].max() < 0.1


@pytest.mark.parametrize(
    ("name", "of"),
    [("weekday", lambda day: day.weekday()), ("day of year", lambda day: day.timetuple().tm_yday - 1),
     ("month", lambda day: day.month - 1), ("day of month", lambda day: day.day - 1)],
)  # fmt: skip
def test_the_calendar_is_pythons(name: str, of: object) -> None:
    import datetime as dt

    first = dt.date(1899, 12, 25)
    days = [first + dt.timedelta(days=17 * k) for k in range(5000)]
    numbers = np.array([(day - dt.date(1970, 1, 1)).days for day in days], dtype=np.float64)
    found = value(calendar(column("close"), name), close=numbers)
    np.testing.assert_array_equal(found, [of(day) for day in days])  # type: ignore[operator]


def test_every_feature_says_where_it_comes_from() -> None:
    assert all(spec.source and spec.formula for spec in FEATURES.values())


@pytest.fixture(scope="module")
def white() -> np.ndarray:
    frame = pl.read_csv(GOLDEN / "complexity_series.csv")
    return frame["white"].cast(pl.Float64).drop_nulls().to_numpy()


@pytest.mark.req("FEAT-18")
def test_permutation_entropy_of_a_series_equals_antropys(white: np.ndarray) -> None:
    wanted = json.loads((GOLDEN / "complexity_expected.json").read_text())
    found = value(permutation_entropy(column("close"), len(white) - 2), close=white)[-1]
    assert found == pytest.approx(wanted["white.antropy_perm_entropy_order3_delay1_norm"], rel=1e-9)


@pytest.mark.req("FEAT-15")
def test_complexity_of_a_series_equals_antropys(white: np.ndarray) -> None:
    """Theirs takes differences of the whole series only, one and two fewer than rows: hence the tolerance."""
    wanted = json.loads((GOLDEN / "complexity_expected.json").read_text())["white.antropy_hjorth"][1]
    prices = np.exp(np.concatenate([[0.0], np.cumsum(white)]) * 0.01)
    assert value(hjorth(len(white) - 2), close=prices)[-1] == pytest.approx(wanted, rel=1e-3)


@pytest.mark.req("FEAT-17")
def test_the_exponent_of_brown72_is_the_published_one() -> None:
    """A series with the exponent 0.72 (Peters 1994), as nolds has it: blocks from 8 rows on, without a correction."""
    series = np.loadtxt(GOLDEN / "nolds_brown72.csv")
    assert len(series) == 1024
    assert value(hurst(column("close"), len(series)), close=series)[-1] == pytest.approx(0.72, abs=0.01)


@pytest.mark.req("FEAT-17")
def test_fluctuations_equal_those_of_nolds(white: np.ndarray) -> None:
    wanted = json.loads((GOLDEN / "complexity_expected.json").read_text())
    logs = []
    for size in (16, 32, 64, 128, 256):
        whole = len(white) - len(white) % size  # nolds begins its blocks at the first row
        made = block_mean(fluctuation(column("close"), size), size, whole // size)
        logs.append(0.5 * float(value(log(made), close=white[:whole])[-1]))
    found = np.polyfit(np.log([16, 32, 64, 128, 256]), logs, 1)[0]
    assert found == pytest.approx(wanted["white.nolds_dfa_nvals[16,32,64,128,256]_order1_nooverlap"], abs=1e-6)
