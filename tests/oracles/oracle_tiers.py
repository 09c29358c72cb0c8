"""Features of the tiers as their formulas in the data dictionary read, in pandas and loops: slow, and written apart.

`FORMULAS` maps a feature to a function of `Bars`; a deviation is that of a sample, a slope that of least squares. What
smooths exponentially begins at the first row here, so that only late rows compare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pandas as pd
import talib

S = pd.Series


def bars_of(columns: Mapping[str, np.ndarray]) -> SimpleNamespace:
    """Return the columns as series, with what most formulas begin from."""
    c = SimpleNamespace(**{name: S(np.asarray(values)) for name, values in columns.items()})
    c.before = c.close.shift()
    c.r, c.lc = np.log(c.close / c.before), np.log(c.close)
    c.size, c.night, c.intraday = c.r.abs(), np.log(c.open / c.before), np.log(c.close / c.open)
    c.range, c.span, c.lv = np.log(c.high / c.low), c.high - c.low, np.log1p(c.volume)
    c.tr = np.fmax(c.high, c.before) - np.fmin(c.low, c.before)
    c.tr[0] = np.nan
    c.ri, c.rv = np.log(c.index / c.index.shift()), np.log(c.vix / c.vix.shift())
    c.excess, c.ratio = c.r - c.ri, np.log(c.close / c.index)
    c.body = c.close - c.open
    c.location = (2 * c.close - c.high - c.low) / c.span
    return c


def mean(x: S, w: int) -> S:
    return x.rolling(w).mean()


def total(x: S, w: int) -> S:
    return x.rolling(w).sum()


def std(x: S, w: int) -> S:
    return x.rolling(w).apply(lambda v: v.std(ddof=1), raw=True)


def top(x: S, w: int) -> S:
    return x.rolling(w).max()


def low(x: S, w: int) -> S:
    return x.rolling(w).min()


def pairs(x: S, y: S, w: int, make: Callable[[np.ndarray, np.ndarray], float]) -> S:
    """Return a function of the last w rows of two series."""
    found = np.full(len(x), np.nan)
    for t in range(w - 1, len(x)):
        a, b = x.to_numpy()[t - w + 1 : t + 1], y.to_numpy()[t - w + 1 : t + 1]
        found[t] = make(a, b) if np.isfinite(a + b).all() else np.nan
    return S(found)


def corr(x: S, y: S, w: int) -> S:
    return pairs(x, y, w, lambda a, b: float(np.corrcoef(a, b)[0, 1]))


def beta(y: S, x: S, w: int) -> S:
    return pairs(y, x, w, lambda a, b: float(np.cov(a, b)[0, 1] / b.var(ddof=1)))


def slope(x: S, w: int) -> S:
    return x.rolling(w).apply(lambda v: np.polyfit(np.arange(w), v, 1)[0], raw=True)


def line(x: S, w: int) -> Callable[[Callable[[np.ndarray, np.ndarray], float]], S]:
    """Return rolling functions of a window and its straight line."""
    t = np.arange(w)
    return lambda make: x.rolling(w).apply(lambda v: make(v, np.polyval(np.polyfit(t, v, 1), t)), raw=True)


def rank(x: S, w: int) -> S:
    return x.rolling(w).rank(method="average") / w


def quantile(x: S, w: int, level: float) -> S:
    return x.rolling(w).quantile(level)


def skew(x: S, w: int) -> S:
    return x.rolling(w).apply(lambda v: np.mean((v - v.mean()) ** 3) / v.std() ** 3, raw=True)


def since(x: S, w: int) -> S:
    """Return bars since the largest value of a window, the latest of equal ones."""
    return x.rolling(w).apply(lambda v: int(np.argmax(v[::-1])), raw=True)


def zscore(x: S, w: int) -> S:
    return (x - mean(x, w)) / std(x, w)


def ema(x: S, w: int) -> S:
    return x.ewm(span=w, adjust=False).mean()


def wilder(x: S, w: int) -> S:
    return x.ewm(alpha=1 / w, adjust=False).mean()


def position(x: S, w: int) -> S:
    return (x - low(x, w)) / (top(x, w) - low(x, w))


def recent(x: S, w: int) -> S:
    return np.log(mean(x, w) / mean(x, w).shift(w))


def variance_ratio(c: SimpleNamespace, k: int, w: int) -> S:
    return std(np.log(c.close / c.close.shift(k)), w) ** 2 / (k * std(c.r, w) ** 2)


def fall(c: SimpleNamespace, w: int) -> S:
    return c.close / top(c.close, w) - 1


def streak(c: SimpleNamespace) -> S:
    found = [0.0]
    for step in np.sign(c.close.diff().to_numpy()[1:]):
        found.append(step if step * found[-1] <= 0 else found[-1] + step)
    return S(found).clip(-251, 251)


def age(happened: S, most: int) -> S:
    found, last = [], -(10**9)
    for t, now in enumerate(happened.to_numpy()):
        last = t if now else last
        found.append(float(min(t - last, most)))
    return S(found)


def ultimate(c: SimpleNamespace) -> S:
    bought = c.close - np.minimum(c.low, c.before)
    b7, b14, b28 = (total(bought, w) / total(c.tr, w) for w in (7, 14, 28))
    return 100 * (4 * b7 + 2 * b14 + b28) / 7


def weighted(x: S, w: int) -> S:
    weights = np.arange(1, w + 1)
    return x.rolling(w).apply(lambda v: v @ weights / weights.sum(), raw=True)


def hull(c: SimpleNamespace, w: int) -> S:
    return weighted(2 * weighted(c.close, w // 2) - weighted(c.close, w), round(w**0.5))


def directed(c: SimpleNamespace, w: int) -> S:
    up, down = c.high.diff(), -c.low.diff()
    plus, minus = up.where((up > down) & (up > 0), 0.0), down.where((down > up) & (down > 0), 0.0)
    return (wilder((plus - minus)[1:], w) / wilder(c.tr[1:], w)).reindex(c.close.index)


def smooth4(x: S) -> S:
    return (x + 2 * x.shift() + 2 * x.shift(2) + x.shift(3)) / 6


def wave(x: S, w: int, period: int) -> S:
    t = np.cos(2 * np.pi * np.arange(w)[::-1] / period)
    return x.rolling(w).apply(lambda v: np.corrcoef(v, t)[0, 1], raw=True)


def strength(x: S, w: int) -> S:
    moves = x.diff()[1:]
    up, down = wilder(moves.clip(lower=0), w), wilder((-moves).clip(lower=0), w)
    return (100 * up / (up + down)).reindex(x.index)


def own_risk(y: S, x: S, w: int) -> S:
    def left(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.std(a - np.polyval(np.polyfit(b, a, 1), b), ddof=2))

    return pairs(y, x, w, left)


def entropy(x: S, w: int) -> S:
    v = x.to_numpy()
    codes = np.array([np.nan, np.nan, *(float(_code(v[t - 2 : t + 1])) for t in range(2, len(v)))])

    def of(window: np.ndarray) -> float:
        p = np.unique(window, return_counts=True)[1] / w
        return float(-(p * np.log(p)).sum() / np.log(6))

    return S(codes).rolling(w).apply(of, raw=True)


def _code(three: np.ndarray) -> int:
    return int(np.dot(np.argsort(three, kind="stable"), [9, 3, 1])) if np.isfinite(three).all() else -1


def scaling(x: S, w: int) -> S:
    logs = [np.log(mean(x.diff(k).abs(), w)) for k in (1, 2, 4, 8)]
    frame, points = pd.concat(logs, axis=1).to_numpy(), np.log([1, 2, 4, 8])
    return S([np.polyfit(points, row, 1)[0] if np.isfinite(row).all() else np.nan for row in frame])


def fluctuation(x: S, w: int) -> S:
    sizes = [size for size in (8, 16, 32, 64, 128) if 2 * size <= w]

    def of(window: np.ndarray) -> float:
        logs = []
        for size in sizes:
            parts = window[len(window) % size :].reshape(-1, size)
            profiles = np.cumsum(parts - parts.mean(axis=1, keepdims=True), axis=1)
            t = np.arange(size)
            left = [row - np.polyval(np.polyfit(t, row, 1), t) for row in profiles]
            logs.append(0.5 * np.log(np.mean(np.square(left))))
        return float(np.polyfit(np.log(sizes), logs, 1)[0])

    return x.rolling(w).apply(of, raw=True)


HAAR = np.array([1.0, 1.0]) / np.sqrt(2)
DAUBECHIES_4 = np.array(
    [0.2303778133, 0.7148465706, 0.6308807679, -0.0279837694, -0.1870348117, 0.0308413818, 0.0328830117, -0.0105974018]
)


def energy(x: S, scaling: np.ndarray, level: int, w: int) -> S:
    """Return the pyramid of an undecimated transform, step by step, against the variance."""
    mirror = scaling[::-1] * np.array([(-1.0) ** k for k in range(len(scaling))])
    smooth = x
    for step in (2**j for j in range(level - 1)):
        smooth = sum(tap / np.sqrt(2) * smooth.shift(k * step) for k, tap in enumerate(scaling))
    step = 2 ** (level - 1)
    detail = sum(tap / np.sqrt(2) * smooth.shift(k * step) for k, tap in enumerate(mirror))
    return mean(detail**2, w) / x.rolling(w).apply(np.var, raw=True)


def in_wave(x: S, period: int, w: int) -> S:
    """Return the share of variance that a periodogram has at a period which divides the window."""
    return x.rolling(w).apply(
        lambda v: 2 * np.abs(np.fft.rfft(v - v.mean())[w // period]) ** 2 / w**2 / v.var(), raw=True
    )


def turn(c: SimpleNamespace, part: str, most: float, times: int) -> S:
    """Return 2 pi times how far a day of the year or month is through it, the first day at 0."""
    dates = pd.to_datetime(c.ts - 1)
    return 2 * np.pi * times * ((dates.dt.day_of_year if part == "year" else dates.dt.day) - 1) / most


FORMULAS: dict[str, Callable[[SimpleNamespace], S]] = {
    "gap_mean_20": lambda c: mean(c.night, 20),
    "intraday_mean_20": lambda c: mean(c.intraday, 20),
    "overnight_share_20": lambda c: std(c.night, 20) / std(c.r, 20),
    "location_mean_20": lambda c: mean(c.location, 20),
    "body_share_20": lambda c: mean(c.body.abs() / c.span, 20),
    "range_position_20": lambda c: (c.close - low(c.low, 20)) / (top(c.high, 20) - low(c.low, 20)),
    "drawdown_20": lambda c: fall(c, 20),
    "runup_20": lambda c: c.close / low(c.close, 20) - 1,
    "since_high_20": lambda c: since(c.high, 20) / 19,
    "since_low_20": lambda c: since(-c.low, 20) / 19,
    "max_return_20": lambda c: top(c.r, 20),
    "min_return_20": lambda c: low(c.r, 20),
    "median_return_20": lambda c: c.r.rolling(20).median(),
    "streak": streak,
    "line_slope_20": lambda c: slope(c.lc, 20),
    "line_fit_20": lambda c: line(c.lc, 20)(lambda v, f: 1 - np.sum((v - f) ** 2) / np.sum((v - v.mean()) ** 2)),
    "line_end_20": lambda c: line(c.lc, 20)(lambda v, f: (v[-1] - f[-1]) / v.std()),
    "parabola_20": lambda c: line(c.lc, 20)(lambda v, f: np.corrcoef(v - f, (np.arange(20) - 9.5) ** 2)[0, 1]),
    "kama_ratio_30": lambda c: c.close / talib.KAMA(c.close.to_numpy(), 30) - 1,
    "aroon_20": lambda c: (since(-c.low, 20) - since(c.high, 20)) / 19,
    "cross_age_20": lambda c: age((c.close > mean(c.close, 20)) != (c.close > mean(c.close, 20)).shift(), 100) / 20,
    "straightness_20": lambda c: c.close.diff(20).abs() / total(c.close.diff().abs(), 20),
    "choppiness_20": lambda c: (top(c.high, 20) - low(c.low, 20)) / total(c.tr, 20),
    "turn_share_20": lambda c: mean((np.sign(c.close.diff()) != np.sign(c.close.diff().shift())).astype(float), 20),
    "ultimate": ultimate,
    "up_share_20": lambda c: mean((c.close.diff() > 0).astype(float), 20),
    "acceleration_20": lambda c: c.close.pct_change(20) - c.close.pct_change(20).shift(20),
    "ret_skip_60": lambda c: c.close.shift(20) / c.close.shift(60) - 1,
    "sharpe_250": lambda c: mean(c.r, 250) / std(c.r, 250),
    "garman_klass_10": lambda c: np.sqrt(mean(c.range**2 / 2 - (2 * np.log(2) - 1) * c.intraday**2, 10)),
    "rogers_satchell_20": lambda c: np.sqrt(
        mean(np.log(c.high / c.close) * np.log(c.high / c.open) + np.log(c.low / c.close) * np.log(c.low / c.open), 20)
    ),
    "ewma_vol_10": lambda c: np.sqrt(ema(c.r[1:] ** 2, 10).reindex(c.r.index)),
    "vol_change_20": lambda c: recent(c.r**2, 20),
    "range_change_20": lambda c: recent(c.range, 20),
    "vol_of_vol_20": lambda c: std(c.size, 20) / mean(c.size, 20),
    "range_vol_20": lambda c: std(c.range, 20) / mean(c.range, 20),
    "downside_share_20": lambda c: total(c.r.clip(upper=0) ** 2, 20) / total(c.r**2, 20),
    "move_to_range_20": lambda c: total(c.size, 20) / total(c.range, 20),
    "range_z_20": lambda c: zscore(c.range, 20),
    "return_z_60": lambda c: zscore(c.r, 60),
    "largest_range_20": lambda c: top(c.tr, 20) / mean(c.tr, 20),
    "tail_skew_20": lambda c: (
        (quantile(c.r, 20, 0.95) + quantile(c.r, 20, 0.05) - 2 * quantile(c.r, 20, 0.5))
        / (quantile(c.r, 20, 0.95) - quantile(c.r, 20, 0.05))
    ),
    "tail_peak_20": lambda c: (
        (quantile(c.r, 20, 0.75) - quantile(c.r, 20, 0.25)) / (quantile(c.r, 20, 0.95) - quantile(c.r, 20, 0.05))
    ),
    "leverage_20": lambda c: corr(c.size, c.r.shift(), 20),
    "clustering_20": lambda c: corr(c.size, c.size.shift(), 20),
    "vol_trend_20": lambda c: slope(c.size, 20) / mean(c.size, 20),
    "vol_rank_60": lambda c: rank(std(c.r, 10), 60),
    "range_rank_20": lambda c: rank(mean(c.range, 5), 20),
    "ulcer_20": lambda c: np.sqrt(mean(fall(c, 20) ** 2, 20)),
    "deepest_20": lambda c: low(fall(c, 20), 20),
    "shock_age_20": lambda c: age(c.size >= 2 * std(c.r, 20).shift(), 20) / 20,
    "money_flow_20": lambda c: total(c.location * c.volume, 20) / total(c.volume, 20),
    "vwap_gap_60": lambda c: c.close / (total((c.high + c.low + c.close) / 3 * c.volume, 60) / total(c.volume, 60)) - 1,
    "force_30": lambda c: (ema((c.close.diff() * c.volume)[1:], 30) / ema((c.tr * c.volume)[1:], 30)).reindex(
        c.close.index
    ),
    "volume_trend_20": lambda c: slope(c.lv, 20),
    "volume_rank_20": lambda c: rank(c.volume, 20),
    "return_volume_20": lambda c: corr(c.r, c.lv.diff(), 20),
    "size_volume_20": lambda c: corr(c.size, c.lv, 20),
    "price_volume_20": lambda c: corr(c.lc, c.lv, 20),
    "range_volume_20": lambda c: corr(c.range, c.lv, 20),
    "ease_14": lambda c: (
        mean(((c.high + c.low) / 2).diff() * c.span / c.volume, 14) * mean(c.volume, 14) / mean(c.tr, 14) ** 2
    ),
    "volume_change_20": lambda c: mean(c.lv, 20) - mean(c.lv, 20).shift(20),
    "volume_vol_20": lambda c: std(c.lv, 20),
    "volume_peak_20": lambda c: top(c.volume, 20) / total(c.volume, 20),
    "volume_skewness_20": lambda c: skew(c.lv, 20),
    "volume_memory_20": lambda c: corr(c.lv, c.lv.shift(), 20),
    "since_volume_20": lambda c: since(c.volume, 20) / 19,
    "volume_return_20": lambda c: total(c.r * c.volume, 20) / total(c.volume, 20),
    "quiet_return_20": lambda c: mean(c.r.where(c.volume.diff() < 0, 0.0), 20),
    "busy_return_20": lambda c: mean(c.r.where(c.volume.diff() > 0, 0.0), 20),
    "gain_volume_20": lambda c: total(c.r.clip(lower=0) * c.volume, 20) / total(c.size * c.volume, 20),
    "range_skewness_20": lambda c: skew(c.range, 20),
    "autocorrelation2_20": lambda c: corr(c.r, c.r.shift(2), 20),
    "autocorrelation3_20": lambda c: corr(c.r, c.r.shift(3), 20),
    "variance_ratio2_20": lambda c: variance_ratio(c, 2, 20),
    "variance_ratio5_20": lambda c: variance_ratio(c, 5, 20),
    "variance_ratio10_20": lambda c: variance_ratio(c, 10, 20),
    "night_day_20": lambda c: corr(c.intraday, c.night, 20),
    "day_night_20": lambda c: corr(c.night, c.intraday.shift(), 20),
    "range_memory_20": lambda c: corr(c.range, c.range.shift(), 20),
    "impact_20": lambda c: beta(c.r, np.sign(c.r) * c.volume / mean(c.volume, 20), 20),
    "amihud_change_20": lambda c: recent(c.close.pct_change().abs() / (c.close * c.volume), 20),
    "index_return": lambda c: c.ri,
    "index_ret_20": lambda c: c.index.pct_change(20),
    "index_vol_20": lambda c: std(c.ri, 20),
    "index_position_20": lambda c: position(c.index, 20),
    "index_drawdown_20": lambda c: c.index / top(c.index, 20) - 1,
    "index_rsi_14": lambda c: strength(c.index, 14),
    "relative_ret_20": lambda c: total(c.excess, 20),
    "relative_z_20": lambda c: zscore(c.ratio, 20),
    "relative_slope_20": lambda c: slope(c.ratio, 20) / std(c.excess, 20),
    "relative_rank_60": lambda c: rank(c.ratio, 60),
    "beta_20": lambda c: beta(c.r, c.ri, 20),
    "beta_down_60": lambda c: beta(c.r, c.ri.clip(upper=0), 60),
    "alpha_20": lambda c: mean(c.r, 20) - beta(c.r, c.ri, 20) * mean(c.ri, 20),
    "index_correlation_20": lambda c: corr(c.r, c.ri, 20),
    "index_lead_20": lambda c: corr(c.r, c.ri.shift(), 20),
    "coskewness_60": lambda c: corr(c.r, c.ri**2, 60),
    "own_risk_20": lambda c: own_risk(c.r, c.ri, 20),
    "size_correlation_20": lambda c: corr(c.size, c.ri.abs(), 20),
    "range_index_20": lambda c: corr(c.range, c.ri, 20),
    "excess_memory_20": lambda c: corr(c.excess, c.excess.shift(), 20),
    "vix_gap_60": lambda c: c.vix / mean(c.vix, 60) - 1,
    "vix_change_20d": lambda c: c.vix.pct_change(20),
    "vix_trend_20": lambda c: slope(np.log(c.vix), 20),
    "vix_vol_20": lambda c: std(c.rv, 20),
    "vix_drawdown_20": lambda c: c.vix / top(c.vix, 20) - 1,
    "vix_beta_20": lambda c: beta(c.r, c.rv, 20),
    "vix_correlation_20": lambda c: corr(c.r, c.rv, 20),
    "vix_size_20": lambda c: corr(c.size, c.rv, 20),
    "vix_spike_age_250": lambda c: age(c.vix >= 1.2 * mean(c.vix, 20), 250) / 250,
    "variance_premium_20": lambda c: (c.vix / 100) ** 2 - 252 * mean(c.r**2, 20),
    "cycle20_60": lambda c: wave(c.lc, 60, 20),
    "cycle40_60": lambda c: wave(c.lc, 60, 40),
    "upper_shadow_20": lambda c: mean((c.high - np.maximum(c.open, c.close)) / c.span, 20),
    "lower_shadow_20": lambda c: mean((np.minimum(c.open, c.close) - c.low) / c.span, 20),
    "open_location_20": lambda c: mean((2 * c.open - c.high - c.low) / c.span, 20),
    "inside_share_20": lambda c: mean(((c.high <= c.high.shift()) & (c.low >= c.low.shift())).astype(float), 20),
    "filled_share_20": lambda c: mean(((c.low <= c.before) & (c.high >= c.before)).astype(float), 20),
    "breakouts_20": lambda c: mean(
        (c.close > top(c.high, 10).shift()).astype(float) - (c.close < low(c.low, 10).shift()).astype(float), 20
    ),
    "ema_gap_5": lambda c: ema(c.close, 5) / ema(c.close, 15) - 1,
    "bend_20": lambda c: (slope(c.close, 10) - slope(c.close, 10).shift(10)) / mean(c.tr, 20),
    "hull_ratio_20": lambda c: c.close / hull(c, 20) - 1,
    "trix_10": lambda c: ema(ema(ema(c.close, 10), 10), 10).pct_change(),
    "vortex_20": lambda c: (
        (total((c.high - c.low.shift()).abs(), 20) - total((c.low - c.high.shift()).abs(), 20)) / total(c.tr, 20)
    ),
    "directed_14": lambda c: directed(c, 14),
    "mass_index_10": lambda c: mean(ema(c.span, 9) / ema(ema(c.span, 9), 9), 10),
    "above_share_20": lambda c: mean((c.close >= mean(c.close, 20)).astype(float), 20),
    "channel_10": lambda c: (c.close - mean(c.low, 10)) / (mean(c.high, 10) - mean(c.low, 10)),
    "elder_bull_30": lambda c: (c.high - ema(c.close, 30)) / mean(c.tr, 30),
    "elder_bear_30": lambda c: (c.low - ema(c.close, 30)) / mean(c.tr, 30),
    "rsi_position_14": lambda c: position(strength(c.close, 14), 14),
    "true_strength_60": lambda c: (
        ema(ema(c.close.diff()[1:], 60), 30) / ema(ema(c.close.diff()[1:].abs(), 60), 30)
    ).reindex(c.close.index),
    "vigor_20": lambda c: mean(smooth4(c.body), 20) / mean(smooth4(c.span), 20),
    "demark_14": lambda c: (
        total(c.high.diff().clip(lower=0), 14)
        / (total(c.high.diff().clip(lower=0), 14) + total((-c.low.diff()).clip(lower=0), 14))
    ),
    "qstick_60": lambda c: mean(c.body, 60) / mean(c.span, 60),
    "squeeze_momentum_20": lambda c: (
        mean(c.close - ((top(c.high, 20) + low(c.low, 20)) / 2 + mean(c.close, 20)) / 2, 5) / mean(c.tr, 20)
    ),
    "smoothed_gap_20": lambda c: (ema(c.close.diff(20)[20:], 20) / mean(c.tr, 20)).reindex(c.close.index),
    "price_entropy_30": lambda c: entropy(c.lc, 30),
    "volume_entropy_30": lambda c: entropy(c.lv, 30),
    "range_entropy_30": lambda c: entropy(c.range, 30),
    "range_dfa_64": lambda c: fluctuation(c.range, 64),
    "volume_dfa_64": lambda c: fluctuation(c.lv, 64),
    "volume_scaling_20": lambda c: scaling(c.lv, 20),
    "roughness_20": lambda c: np.log(total(c.size, 20) / (top(c.lc, 20) - low(c.lc, 20))) / np.log(20),
    "same_weekday_range_20": lambda c: sum(c.range.shift(k) for k in (5, 10, 15, 20)) / 4,
    "last_year_15": lambda c: mean(c.r, 15).shift(236),
    **{f"haar{j}_20": lambda c, j=j: energy(c.r, HAAR, j, 20) for j in (1, 2, 3, 4)},
    **{f"daubechies{j}_20": lambda c, j=j: energy(c.r, DAUBECHIES_4, j, 20) for j in (1, 2, 3)},
    **{f"fourier{k}_60": lambda c, k=k: in_wave(c.r, k, 60) for k in (3, 5, 10, 20)},
    "range_fourier5_60": lambda c: in_wave(c.range, 5, 60),
    "half_year_sine": lambda c: np.sin(turn(c, "year", 365.25, 2)),
    "half_year_cosine": lambda c: np.cos(turn(c, "year", 365.25, 2)),
    "month_sine": lambda c: np.sin(turn(c, "month", 31, 1)),
    "weekday": lambda c: pd.to_datetime(c.ts - 1).dt.day_of_week.astype(float),
    "scaling_20": lambda c: scaling(c.lc, 20),
    "month_cosine": lambda c: np.cos(turn(c, "month", 31, 1)),
    "same_weekday_20": lambda c: sum(c.r.shift(k) for k in (5, 10, 15, 20)) / 4,
    "skewness_20": lambda c: skew(c.r, 20),
    "autocorrelation1_20": lambda c: corr(c.r, c.r.shift(), 20),
}
