"""Static identity: bits about the instrument against known values, and the planted columns that must be caught."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter

from karat.core import InputError
from karat.evidence import (
    FEATURE_LIMIT_BITS,
    REGIME_LIMIT_BITS,
    id_probe,
    identity_bits,
    identity_check,
    regime_check,
)

K, BARS = 4, 1000
CODE = np.repeat(np.arange(K), BARS)
TS = np.tile(np.arange(BARS, dtype=np.int64), K)


def noise(seed: int, size: int = K * BARS) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=size)


def persistent(seed: int, phi: float = 0.97) -> np.ndarray:
    """AR(1) paths of the same law: as volatility is, without saying anything about the instrument."""
    shocks = np.random.default_rng(seed).normal(size=(K, BARS))
    out = np.empty((K, BARS))
    out[:, 0] = shocks[:, 0] / np.sqrt(1 - phi**2)
    for t in range(1, BARS):
        out[:, t] = phi * out[:, t - 1] + shocks[:, t]
    return out.ravel()


def test_a_code_tells_all_there_is_to_tell() -> None:
    bits = identity_bits(CODE.astype(np.float64), CODE, TS, seed=1)
    assert bits is not None
    assert bits.raw == pytest.approx(2.0)  # log2(4), by hand
    assert bits.p_value == pytest.approx(1 / 200)
    assert bits.above(FEATURE_LIMIT_BITS)


def test_half_a_code_tells_one_bit() -> None:
    bits = identity_bits((CODE % 2).astype(np.float64), CODE, TS, seed=1)
    assert bits is not None
    assert bits.raw == pytest.approx(1.0)  # two of four instruments are left, by hand


@pytest.mark.req("EVAL-02")
def test_noise_tells_nothing_once_the_bias_is_taken_out() -> None:
    """(8 - 1)(4 - 1) / (2 n ln 2) = 0.0038 bit is the first-order bias of the plug-in (Miller 1955)."""
    found = [identity_bits(noise(seed), CODE, TS, seed=seed) for seed in range(20)]
    raw = np.array([bits.raw for bits in found if bits])
    corrected = np.array([bits.corrected for bits in found if bits])
    assert raw.mean() == pytest.approx(21 / (2 * K * BARS * np.log(2)), rel=0.25)
    assert abs(corrected.mean()) < 0.001
    assert not any(bits.above(REGIME_LIMIT_BITS) for bits in found if bits)


@pytest.mark.parametrize(("phi", "most"), [(0.9, 2), (0.97, 2), (0.985, 4)])
def test_persistence_of_its_own_is_no_alarm(phi: float, most: int) -> None:
    """Blocks of one length for every column alarmed in 7 % (0.97) and 29 % (0.985) of such columns."""
    found = [identity_bits(persistent(seed, phi), CODE, TS, seed=seed) for seed in range(50)]
    assert np.mean([bits.raw for bits in found if bits]) > (0.02 if phi > 0.9 else 0.005)
    assert sum(bits.above(REGIME_LIMIT_BITS) for bits in found if bits) <= most


@pytest.mark.parametrize("phi", [0.97, 0.985, 0.995])
def test_an_identity_under_a_column_that_persists_is_caught(phi: float) -> None:
    """The level of an instrument is no persistence: it is taken out before persistence is measured."""
    scale = persistent(1, phi).std()
    for seed in range(5):
        hidden = 2.0 * CODE + persistent(seed, phi) / scale
        assert identity_check({"slow": hidden}, CODE, TS, seed=1).passed is False


def listed() -> np.ndarray:
    """Rows of a panel whose instruments live in different years: two early ones, one late one, one that stays."""
    first, last = np.array([0, 0, 400, 0])[CODE], np.array([600, 600, 1000, 1000])[CODE]
    return np.asarray((first <= TS) & (last > TS))


def test_what_all_instruments_share_is_not_told_by_when_they_were_listed() -> None:
    """A regime of the whole market, calm and then turbulent: with instruments permuted over all years it alarmed."""
    regime = np.where(TS >= 500, 1.0, 0.0) + 0.001 * np.tile(noise(6, BARS), K)
    here = listed()
    bits = identity_bits(regime[here], CODE[here], TS[here], seed=1)
    assert bits is not None
    assert bits.raw > 0.1
    assert bits.corrected == pytest.approx(0.0, abs=0.005)  # but for the blocks that a listing cuts
    assert regime_check({"regime": regime[here]}, CODE[here], TS[here], seed=1).passed
    volatile = noise(7) * (1.0 + 3.0 * (TS >= 500))
    assert identity_check({"return": volatile[here]}, CODE[here], TS[here], seed=1).passed
    planted = regime + 0.5 * CODE
    assert regime_check({"regime": planted[here]}, CODE[here], TS[here], seed=1).passed is False


@pytest.mark.req("EVAL-02")
@pytest.mark.parametrize(
    ("column", "limit"),
    [
        (CODE + 0.1 * noise(1), FEATURE_LIMIT_BITS),
        (0.5 * CODE + noise(2), FEATURE_LIMIT_BITS),
        (np.where(CODE == 2, 1.0, 0.0), FEATURE_LIMIT_BITS),
        (TS + 0.5 * CODE, FEATURE_LIMIT_BITS),
        (noise(3) * (1.0 + 0.3 * CODE), REGIME_LIMIT_BITS),
    ],
    ids=["code under noise", "level under noise", "one-hot", "rank within the date", "scale, at a regime's limit"],
)
def test_a_planted_column_is_caught(column: np.ndarray, limit: float) -> None:
    check = identity_check({"clean": noise(9), "planted": column}, CODE, TS, limit=limit, seed=1)
    assert check.passed is False
    assert check.note.startswith("planted tells ")
    assert identity_check({"clean": noise(9)}, CODE, TS, limit=limit, seed=1).passed


def test_a_column_known_to_carry_scale_is_named_and_does_not_decide() -> None:
    columns = {"vol": np.exp(0.1 * noise(4)) * (1 + CODE), "clean": noise(9)}
    check = identity_check(columns, CODE, TS, known={"vol": "scale"}, seed=1)
    assert check.passed
    assert check.note.startswith("allowed: vol ")
    assert "(scale)" in check.note
    assert identity_check(columns, CODE, TS, seed=1).passed is False


@pytest.mark.req("EVAL-02")
def test_a_return_decides_by_what_it_says_beyond_its_scale() -> None:
    """Volatilities of 1 to 4: half a bit of scale, which every return has, and which no limit on bias can allow."""
    scale = 1.0 + CODE
    clean = identity_check({"ret": noise(4) * scale}, CODE, TS, scaled=["ret"], seed=1)
    assert clean.passed
    assert clean.value == pytest.approx(0.0, abs=0.005)
    assert clean.note.startswith("allowed: ret 0.")
    assert identity_check({"ret": noise(4) * scale}, CODE, TS, seed=1).passed is False
    spiked = noise(5)
    spiked[[3, 1003]] = 300.0, 30.0  # a root mean square would be ten and one, and tell who had the spike
    assert identity_check({"ret": spiked}, CODE, TS, scaled=["ret"], seed=1).value == pytest.approx(0.0, abs=0.005)
    level = (noise(4) + 0.7 * CODE) * scale
    tail = np.where(CODE == 0, noise(4), np.abs(noise(4))) * scale
    for name, column in {"level": level, "tail": tail}.items():
        assert identity_check({name: column}, CODE, TS, scaled=[name], seed=1).passed is False, name


@pytest.mark.req("QUAL-21")
def test_a_regime_column_is_finite_varies_and_says_nothing_of_names() -> None:
    clean = (noise(1) > 0).astype(np.float64)
    assert regime_check({"regime": np.where(TS < 20, np.nan, clean)}, CODE, TS, seed=1).passed
    wrong = {
        "gone": np.full(K * BARS, np.nan),
        "wild": np.where(TS == 3, np.inf, clean),
        "still": np.where(TS < 20, np.nan, 2.0),
        "named": (noise(2) > 0.2 * CODE).astype(np.float64),
    }
    check = regime_check({"regime": clean, **wrong}, CODE, TS, seed=1)
    assert check.passed is False
    assert check.note.startswith("gone is not finite; wild is not finite; still is constant; named tells 0.0")
    assert identity_check({"named": wrong["named"]}, CODE, TS, seed=1).passed  # 0.1 bit would let it through
    assert regime_check({}, CODE, TS, seed=1).note == "not evaluable: the study has none"


@pytest.mark.req("QUAL-21")
@pytest.mark.parametrize("instruments", [4, 8, 20])
def test_labels_refitted_on_their_own_past_are_no_alarm_and_a_name_among_them_is(instruments: int) -> None:
    """Same law for all: what persists is chance. Blocks by tau alarmed in 10 % (3, 10) and 35 % (40) of such panels."""
    code, ts = np.repeat(np.arange(instruments), REFITTED), np.tile(np.arange(REFITTED), instruments)
    alarms, caught = 0, 0
    for seed in range(6):
        rng = np.random.default_rng(1000 * instruments + seed)
        clean = np.concatenate([refitted(rng) for _ in range(instruments)])
        named = rng.random(len(clean)) < 0.6
        coded = np.where(named & np.isfinite(clean), code % 3, clean)
        alarms += regime_check({"regime": clean}, code, ts, seed=seed).passed is not True
        caught += regime_check({"regime": coded}, code, ts, seed=seed).passed is False
    assert alarms <= 1
    assert caught == 6


REFITTED = 1500


def refitted(rng: np.random.Generator) -> np.ndarray:
    """Bands of volatility over 20 bars, 0.5 and 0.9 quantiles of the instrument's own past, refitted every 252 rows.

    The log of volatility is AR(1), 0.97 a bar, deviation 0.6.
    """
    level = lfilter([1.0], [1.0, -0.97], rng.normal(0.0, 0.6 * np.sqrt(1 - 0.97**2), REFITTED + 200))[200:]
    moved = np.exp(level) * rng.normal(size=REFITTED)
    spread = np.append(np.full(19, np.nan), sliding_window_view(moved, 20).std(axis=1))
    labels = np.full(REFITTED, np.nan)
    for start in range(504, REFITTED, 252):
        edges = np.nanquantile(spread[:start], (0.5, 0.9))
        labels[start : start + 252] = np.searchsorted(edges, spread[start : start + 252])
    return labels


def test_names_and_market_wide_columns_say_nothing() -> None:
    column = noise(5)
    order = np.array([2, 0, 3, 1])
    first, renamed = identity_bits(column, CODE, TS, seed=1), identity_bits(column, order[CODE] * 7, TS, seed=1)
    assert first is not None
    assert renamed is not None
    assert first.raw == pytest.approx(renamed.raw)
    market = np.tile(noise(6, BARS), K)
    assert identity_check({"vix": market}, CODE, TS, seed=1).passed


def test_what_cannot_be_judged_says_so() -> None:
    one = np.zeros(500, dtype=np.int64)
    check = identity_check({"a": noise(1, 500)}, one, np.arange(500), seed=1)
    assert (check.passed, check.value) == (None, None)
    assert check.note == "not evaluable: one instrument, or too few bars of each"
    assert identity_bits(noise(1, 400), np.repeat([0, 1], 200), np.tile(np.arange(200), 2), seed=1) is None
    with_gaps = np.where(noise(7) > 1, np.nan, noise(8))
    assert identity_check({"gaps": with_gaps}, CODE, TS, seed=1).passed


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match=r"values: got 'shape \(3,\)'; allowed: \(4000,\): one value per instrument"):
        identity_bits(np.zeros(3), CODE, TS, seed=1)
    with pytest.raises(InputError, match="permutations: got 9; allowed: 99 or more"):
        identity_bits(noise(1), CODE, TS, permutations=9, seed=1)


def probe(drift: float, seed: int) -> object:
    returns = 0.01 * noise(seed) + drift * (CODE - 1.5)
    train, valid = TS < 700, TS >= 700
    return id_probe(returns[train], CODE[train], returns[valid], CODE[valid], TS[valid])


@pytest.mark.req("EVAL-02")
def test_identity_alone_earns_nothing_where_instruments_are_alike() -> None:
    assert all(probe(0.0, seed).passed for seed in range(20))  # type: ignore[attr-defined]
    planted = probe(0.002, 1)
    assert planted.passed is False  # type: ignore[attr-defined]
    alone = id_probe(noise(1, 50), np.zeros(50, int), noise(2, 50), np.zeros(50, int), np.arange(50))
    assert (alone.passed, alone.note) == (None, "not evaluable: one instrument")
    apart = id_probe(noise(1, 50), CODE[::80], noise(2, 50), CODE[::80], np.arange(50))
    assert (apart.passed, apart.note) == (None, "not evaluable: no date with two instruments")


def test_labels_that_overlap_are_no_false_alarm() -> None:
    """Sums of five returns on every date: taken as independent they alarm, every fifth date does not."""
    alarms = {1: 0, 5: 0}
    for seed in range(200):
        steps = noise(seed).reshape(K, BARS)
        sums = np.apply_along_axis(lambda row: np.convolve(row, np.ones(5), mode="same"), 1, steps).ravel()
        train, valid = TS < 700, TS >= 710
        for horizon in alarms:
            check = id_probe(sums[train], CODE[train], sums[valid], CODE[valid], TS[valid], horizon_bars=horizon)
            alarms[horizon] += not check.passed
    assert alarms[5] <= 2
    assert alarms[1] > 5
