"""Two clocks: the offset and the drift between a sender's and a receiver's, and messages whose times cannot be true.

| symbol | meaning | unit |
|---|---|---|
| sent | the sender's stamp | ns |
| received | the receiver's stamp of the same message | ns |
| gap | received - sent: the delay of the message plus the difference of the clocks | ns |
| offset | what is added to `received` so that no message arrives before it was sent | ns |
| skew | growth of the gap's lower edge: how fast the receiver's clock runs against the sender's | parts per million |

A delay is never negative, so the smallest gaps carry the clocks and the rest of the gaps the network. The skew is the
slope of the line below all gaps that lies closest to them in total: the edge of their lower convex hull over the mean
time (Moon, Skelly, Towsley 1999, "Estimation and removal of clock skew from network delay measurements", INFOCOM).

Invariants:
1. `corrected(received) >= sent` for every message the estimate was made from.
2. With one clock and no skew the estimate is the smallest delay, and corrected times begin with a delay of zero.
3. `StampGuard` answers from what came before only; a rejected message changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from karat.core import NS_PER_SECOND, InputError

Ints = NDArray[np.int64]
Verdict = Literal["ok", "stale", "future", "duplicate", "replayed"]

_WINDOW: Final = 100_000


@dataclass(frozen=True)
class ClockOffset:
    """How a receiver's clock differs from a sender's.

    offset_ns: added to a received stamp at `anchor_ns`. skew_ppm: growth of the gap; used in `corrected` when
    `removed_skew`. messages: how many the estimate is made from. delay_ns: smallest, median, 99th percentile and
    largest delay after the correction.
    """

    offset_ns: int
    skew_ppm: float
    anchor_ns: int
    removed_skew: bool
    messages: int
    delay_ns: tuple[int, int, int, int]

    def corrected(self, received_ns: Any) -> Ints:
        """Return received stamps on the sender's clock, never rounded down."""
        received = np.asarray(received_ns, np.int64)
        if not self.removed_skew:
            return np.asarray(received + self.offset_ns, np.int64)
        drift = np.floor((received - self.anchor_ns) * (self.skew_ppm * 1e-6)).astype(np.int64)
        result: Ints = received + self.offset_ns - drift
        return result

    def drifts(self, limit_ppm: float = 100.0) -> bool:
        """Return whether the clocks run apart faster than a limit; a plain quartz stays within 100 ppm."""
        return abs(self.skew_ppm) > limit_ppm


def estimate_clock(sent_ns: Any, received_ns: Any, *, margin_ns: int = 0, remove_skew: bool = False) -> ClockOffset:
    """Return the offset of a receiver's clock from stamps of the same messages, in the order of receipt.

    margin_ns: added to the offset, a smallest true delay that is known from elsewhere. remove_skew: whether the line
    below the gaps is taken off, or only its largest shortfall.

    Raises:
        InputError: no message, columns of unequal length, or receipts that run back.

    Example:
        >>> estimate_clock([1_000, 2_000], [400, 1_500]).offset_ns
        600
    """
    sent, received = np.asarray(sent_ns, np.int64), np.asarray(received_ns, np.int64)
    if sent.ndim != 1 or sent.shape != received.shape or not len(sent):
        raise InputError("sent_ns", (sent.shape, received.shape), allowed="one stamp each for one or more messages")
    if bool(np.any(np.diff(received) < 0)):
        raise InputError("received_ns", "stamps that run back", allowed="the order of receipt", fix="sort the messages")
    if margin_ns < 0:
        raise InputError("margin_ns", margin_ns, allowed="0 or more")
    gap, anchor = received - sent, int(received[0])
    skew = _lower_slope(received - anchor, gap)
    # the same expression as in `corrected`, to the last bit
    drift = np.floor((received - anchor) * (skew * 1e6 * 1e-6)).astype(np.int64) if remove_skew else np.zeros_like(gap)
    offset = int((drift - gap).max()) + margin_ns
    delay = gap + offset - drift
    spread = tuple(int(np.percentile(delay, q)) for q in (0, 50, 99, 100))
    return ClockOffset(offset, skew * 1e6, anchor, remove_skew, len(sent), spread)  # type: ignore[arg-type]


def _lower_slope(time: Ints, gap: Ints) -> float:
    """Return the slope of the lower convex hull's edge over the mean time, 0 where all messages came at once."""
    first = np.flatnonzero(np.append(True, np.diff(time) > 0))
    x, y = time[first].astype(np.float64), np.minimum.reduceat(gap - gap.min(), first).astype(np.float64)
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1 and _turns_down(x, y, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    if len(hull) < 2:
        return 0.0
    k = int(np.clip(np.searchsorted(x[hull], time.mean()), 1, len(hull) - 1))
    return float((y[hull[k]] - y[hull[k - 1]]) / (x[hull[k]] - x[hull[k - 1]]))


def _turns_down(x: Any, y: Any, a: int, b: int, c: int) -> bool:
    return bool((y[b] - y[a]) * (x[c] - x[b]) >= (y[c] - y[b]) * (x[b] - x[a]))


class StampGuard:
    """Rejects messages of one feed by their times and numbers: stale, from the future, duplicates, replays.

    max_age_ns: how much older than its receipt a message may be. max_ahead_ns: how much younger. window: how many
    numbers are remembered; a number below all of them is a replay. Times are on one clock: correct receipts first.

    Example:
        >>> guard = StampGuard(max_age_ns=1_000, max_ahead_ns=10)
        >>> [guard.check(sent, received, n) for sent, received, n in [(0, 5, 1), (0, 6, 1), (0, 5_000, 2), (99, 50, 3)]]
        ['ok', 'duplicate', 'stale', 'future']
    """

    def __init__(self, *, max_age_ns: int = 5 * NS_PER_SECOND, max_ahead_ns: int = 0, window: int = _WINDOW) -> None:
        for name, value, low in (
            ("max_age_ns", max_age_ns, 0),
            ("max_ahead_ns", max_ahead_ns, 0),
            ("window", window, 1),
        ):
            if value < low:
                raise InputError(name, value, allowed=f"{low} or more")
        self._age, self._ahead, self._window = max_age_ns, max_ahead_ns, window
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._forgotten: int | None = None
        self.counts: dict[Verdict, int] = {"ok": 0, "stale": 0, "future": 0, "duplicate": 0, "replayed": 0}

    def check(self, sent_ns: int, received_ns: int, number: int) -> Verdict:
        """Return the verdict on one message; `number` is its sequence or update number."""
        verdict = self._verdict(sent_ns, received_ns, number)
        self.counts[verdict] += 1
        if verdict == "ok":
            self._seen[number] = None
            if len(self._seen) > self._window:
                gone, _ = self._seen.popitem(last=False)
                self._forgotten = gone if self._forgotten is None else max(gone, self._forgotten)
        return verdict

    def _verdict(self, sent_ns: int, received_ns: int, number: int) -> Verdict:
        if number in self._seen:
            return "duplicate"
        if self._forgotten is not None and number <= self._forgotten:
            return "replayed"
        if sent_ns > received_ns + self._ahead:
            return "future"
        return "stale" if received_ns - sent_ns > self._age else "ok"
