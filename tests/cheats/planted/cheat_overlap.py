"""Label overlapping the test: rows cut without looking at spans, and a purge that starts at the end of the first label.

The second is the fault of a published library (mlfinlab 0.1 to 1.0, mlfinpy 0.1.2): the held-out span is taken to begin
where its first label ends, so that nothing is purged before it.
"""

import numpy as np

from karat.labels import Fold


class RowCut:
    """Train, Valid and Test are successive rows; a label of five bars reaches into the next part."""

    def split(self, ts, start_ns, end_ns):
        bars = np.unique(ts)
        edges = [bars[int(share * len(bars))] for share in (0.3, 0.4)]
        part = np.searchsorted(edges, ts, side="right")
        rows = [np.flatnonzero(part == k) for k in range(3)]
        early = np.flatnonzero(ts < bars[int(0.2 * len(bars))])
        between = np.flatnonzero((ts >= bars[int(0.2 * len(bars))]) & (ts < bars[int(0.3 * len(bars))]))
        return [Fold(0, "select", early, between), Fold(0, "test", *rows)]


class LatePurge:
    """A held-out block is purged from the end of its first label on."""

    def split(self, ts, start_ns, end_ns):
        bars = np.unique(ts)
        cut = [bars[int(share * len(bars))] for share in (0.15, 0.25, 0.35)]
        folds = [self._fold("select", ts, end_ns, cut[0], cut[1])]
        test = self._fold("test", ts, end_ns, cut[2], bars[-1] + 1)
        valid = test.train[-len(bars) // 10 :]
        return [*folds, Fold(0, "test", test.train[: -len(bars) // 10], valid, test.valid)]

    def _fold(self, role, ts, end_ns, low, high):
        held = (ts >= low) & (ts < high)
        first_end = end_ns[np.flatnonzero(held)[0]]
        clear = (end_ns < first_end) & (ts < low)
        return Fold(0, role, np.flatnonzero(clear), np.flatnonzero(held))
