"""Plain versions of the twenty indicators, straight from their definitions: loops over lists, no window tricks.

Each takes lists `open high low close volume` of one instrument and returns a list with NaN where there is no value.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Bars = dict[str, list[float]]
NAN = math.nan


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def windowed(n: int, window: int, fn: Callable[[int, int], float]) -> list[float]:
    """fn(first, last) for every full window, both inclusive."""
    return [NAN if t < window - 1 else fn(t - window + 1, t) for t in range(n)]


def ret(bars: Bars, k: int) -> list[float]:
    c = bars["close"]
    return [NAN if t < k else (c[t] - c[t - k]) / c[t - k] for t in range(len(c))]


def gap(bars: Bars) -> list[float]:
    o, c = bars["open"], bars["close"]
    return [NAN if t < 1 else (o[t] - c[t - 1]) / c[t - 1] for t in range(len(c))]


def close_location(bars: Bars) -> list[float]:
    out = []
    for h, low, c in zip(bars["high"], bars["low"], bars["close"], strict=True):
        out.append(0.0 if h == low else ((c - low) - (h - c)) / (h - low))
    return out


def sma_ratio(bars: Bars, k: int) -> list[float]:
    c = bars["close"]
    return windowed(len(c), k, lambda a, b: c[b] / mean(c[a : b + 1]) - 1)


def ema(values: list[float], k: int, first: int = 0) -> list[float]:
    """Seeded with the simple mean of the k values from `first`."""
    out = [NAN] * len(values)
    at = first + k - 1
    if at >= len(values):
        return out
    out[at] = mean(values[first : at + 1])
    for t in range(at + 1, len(values)):
        out[t] = out[t - 1] + 2 / (k + 1) * (values[t] - out[t - 1])
    return out


def ema_ratio(bars: Bars) -> list[float]:
    fast, slow = ema(bars["close"], 12), ema(bars["close"], 26)
    return [f / s - 1 for f, s in zip(fast, slow, strict=True)]


def macd_hist(bars: Bars) -> list[float]:
    c = bars["close"]
    # TA-Lib starts the fast average late, so that both averages have their seed on the same bar.
    fast, slow = ema(c, 12, first=14), ema(c, 26)
    line = [f - s for f, s in zip(fast, slow, strict=True)]
    signal = ema(line, 9, first=25)
    return [(a - b) / p for a, b, p in zip(line, signal, c, strict=True)]


def wilder(values: list[float], k: int, first: int) -> list[float]:
    """Wilder's running mean, seeded with the simple mean of the k values from `first`."""
    out = [NAN] * len(values)
    at = first + k - 1
    if at >= len(values):
        return out
    out[at] = mean(values[first : at + 1])
    for t in range(at + 1, len(values)):
        out[t] = (out[t - 1] * (k - 1) + values[t]) / k
    return out


def rsi(bars: Bars) -> list[float]:
    c = bars["close"]
    moves = [0.0] + [c[t] - c[t - 1] for t in range(1, len(c))]
    up = wilder([max(m, 0.0) for m in moves], 14, 1)
    down = wilder([max(-m, 0.0) for m in moves], 14, 1)
    return [100 * u / (u + d) if u + d else (0.0 if u == u else NAN) for u, d in zip(up, down, strict=True)]


def true_range(bars: Bars) -> list[float]:
    h, low, c = bars["high"], bars["low"], bars["close"]
    return [0.0] + [max(h[t] - low[t], abs(h[t] - c[t - 1]), abs(low[t] - c[t - 1])) for t in range(1, len(c))]


def natr(bars: Bars) -> list[float]:
    return [a / c for a, c in zip(wilder(true_range(bars), 14, 1), bars["close"], strict=True)]


def adx(bars: Bars) -> list[float]:
    h, low = bars["high"], bars["low"]
    n = len(h)
    ranges = true_range(bars)
    plus, minus = [0.0] * n, [0.0] * n
    for t in range(1, n):
        up, down = h[t] - h[t - 1], low[t - 1] - low[t]
        plus[t] = up if up > down and up > 0 else 0.0
        minus[t] = down if down > up and down > 0 else 0.0
    sums = [math.fsum(x[1:14]) for x in (plus, minus, ranges)]
    dx = [NAN] * n
    for t in range(14, n):
        sums = [s - s / 14 + x[t] for s, x in zip(sums, (plus, minus, ranges), strict=True)]
        dx[t] = 100 * abs(sums[0] - sums[1]) / (sums[0] + sums[1])
    return wilder(dx, 14, 14)


def stoch_d(bars: Bars) -> list[float]:
    h, low, c = bars["high"], bars["low"], bars["close"]
    n = len(c)

    def fast(a: int, b: int) -> float:
        top, bottom = max(h[a : b + 1]), min(low[a : b + 1])
        return 100 * (c[b] - bottom) / (top - bottom)

    raw = windowed(n, 14, fast)
    slow = windowed(n, 3, lambda a, b: mean(raw[a : b + 1]))
    return windowed(n, 3, lambda a, b: mean(slow[a : b + 1]))


def typical(bars: Bars) -> list[float]:
    return [(h + low + c) / 3 for h, low, c in zip(bars["high"], bars["low"], bars["close"], strict=True)]


def cci(bars: Bars) -> list[float]:
    p = typical(bars)

    def one(a: int, b: int) -> float:
        middle = mean(p[a : b + 1])
        return (p[b] - middle) / (0.015 * mean([abs(x - middle) for x in p[a : b + 1]]))

    return windowed(len(p), 20, one)


def bands(window: list[float]) -> tuple[float, float, float]:
    middle = mean(window)
    spread = math.sqrt(mean([(x - middle) ** 2 for x in window]))
    return middle - 2 * spread, middle, middle + 2 * spread


def bollinger_b(bars: Bars) -> list[float]:
    c = bars["close"]

    def one(a: int, b: int) -> float:
        low, _, high = bands(c[a : b + 1])
        return (c[b] - low) / (high - low)

    return windowed(len(c), 20, one)


def bollinger_width(bars: Bars) -> list[float]:
    c = bars["close"]

    def one(a: int, b: int) -> float:
        low, middle, high = bands(c[a : b + 1])
        return (high - low) / middle

    return windowed(len(c), 20, one)


def realised_vol(bars: Bars) -> list[float]:
    c = bars["close"]
    squares = [0.0] + [math.log(c[t] / c[t - 1]) ** 2 for t in range(1, len(c))]
    return [NAN if t < 20 else math.sqrt(mean(squares[t - 19 : t + 1])) for t in range(len(c))]


def volume_z(bars: Bars) -> list[float]:
    v = [math.log(1 + x) for x in bars["volume"]]

    def one(a: int, b: int) -> float:
        middle = mean(v[a : b + 1])
        return (v[b] - middle) / math.sqrt(math.fsum((x - middle) ** 2 for x in v[a : b + 1]) / 19)

    return windowed(len(v), 20, one)


def mfi(bars: Bars) -> list[float]:
    p, v = typical(bars), bars["volume"]
    out = [NAN] * len(p)
    for t in range(14, len(p)):
        up = math.fsum(p[s] * v[s] for s in range(t - 13, t + 1) if p[s] > p[s - 1])
        down = math.fsum(p[s] * v[s] for s in range(t - 13, t + 1) if p[s] < p[s - 1])
        out[t] = 100 * up / (up + down)
    return out


def obv_slope(bars: Bars) -> list[float]:
    c, v = bars["close"], bars["volume"]
    out = [NAN] * len(c)
    for t in range(20, len(c)):
        moves = [v[s] * ((c[s] > c[s - 1]) - (c[s] < c[s - 1])) for s in range(t - 19, t + 1)]
        out[t] = math.fsum(moves) / math.fsum(v[t - 19 : t + 1])
    return out


ORACLES: dict[str, Callable[[Bars], list[float]]] = {
    "ret_1": lambda bars: ret(bars, 1),
    "ret_5": lambda bars: ret(bars, 5),
    "ret_20": lambda bars: ret(bars, 20),
    "gap": gap,
    "close_location": close_location,
    "sma_ratio_10": lambda bars: sma_ratio(bars, 10),
    "sma_ratio_50": lambda bars: sma_ratio(bars, 50),
    "ema_ratio_12_26": ema_ratio,
    "macd_hist": macd_hist,
    "adx_14": adx,
    "rsi_14": rsi,
    "stoch_d_14": stoch_d,
    "cci_20": cci,
    "bollinger_b": bollinger_b,
    "bollinger_width": bollinger_width,
    "natr_14": natr,
    "realised_vol_20": realised_vol,
    "volume_z_20": volume_z,
    "mfi_14": mfi,
    "obv_slope_20": obv_slope,
}
