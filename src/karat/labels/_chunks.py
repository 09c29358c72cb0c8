"""`ChunkSplitter`: Valid and Test are chunks of time spread over the data, Train is sliding windows between them.

Train lies on both sides of the chunks, so this shows how a model interpolates between regimes, not how it would have
done in time; a verdict comes from `WalkForward`.

Invariants:
1. The input window of a Train row (its own and the `window_bars - 1` bars before), its span and everything between
   touch no chunk: neither the chunk's rows, nor their spans, nor the embargo around it.
2. Chunks have `chunk_bars` bars, do not overlap, and depend on the number of bars and the seed only.
3. Spans of a Valid chunk do not overlap those of a Test chunk: rows of Valid that would are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from karat._words import counted
from karat.core import InputError, generator
from karat.labels._fold import Axis, Bools, Fold, Ints, overlaps, whole


@dataclass(frozen=True)
class ChunkSplitter:
    """One fold with chunked Valid and Test.

    chunk_bars: length of a chunk. valid_chunks, test_chunks: how many of each. window_bars: input window of a Train
    row. embargo_bars: bars left out on both sides of a chunk. seed: which chunks are held out.
    """

    chunk_bars: int = 60
    valid_chunks: int = 3
    test_chunks: int = 3
    window_bars: int = 20
    embargo_bars: int = 5
    seed: int = 42

    def __post_init__(self) -> None:
        for name in ("chunk_bars", "valid_chunks", "test_chunks", "window_bars"):
            whole(name, getattr(self, name), 1)
        whole("embargo_bars", self.embargo_bars, 0)

    def split(self, ts: Ints, start_ns: Ints, end_ns: Ints) -> list[Fold]:
        """Return a list of one test fold.

        Raises:
            InputError: too few bars, or chunks shorter than the purge, saying how many bars would be enough.
        """
        axis = Axis.of(ts, start_ns, end_ns)
        slots = len(axis) // self.chunk_bars
        held = self.valid_chunks + self.test_chunks
        # Half of the slots at most are held out, so that windows of Train fit between them.
        if slots < 2 * held:
            raise self._too_little(axis, f"room for {counted(slots, 'chunk')}")
        order = generator(self.seed, "chunks", slots).permutation(slots)
        tests = [self._bars(int(slot)) for slot in np.sort(order[: self.test_chunks])]
        valids = [self._bars(int(slot)) for slot in np.sort(order[self.test_chunks : held])]
        test = axis.mark(np.concatenate(tests))
        valid = axis.mark(np.concatenate(valids)) & self._clear(axis, tests, window=1)
        train = ~test & ~axis.mark(np.concatenate(valids)) & self._clear(axis, tests + valids, window=self.window_bars)
        train[: self.window_bars - 1] = False
        if not valid.any():
            least = 2 * (self.embargo_bars + axis.reach()) + 1
            why = "purging around Test leaves no Valid"
            raise InputError("chunk_bars", self.chunk_bars, why=why, fix=f"{least} would be enough")
        if not train.any():
            raise self._too_little(axis, "purging leaves no Train")
        return [Fold(0, "test", axis.rows(train), axis.rows(valid), axis.rows(test))]

    def _bars(self, slot: int) -> Ints:
        return np.arange(slot * self.chunk_bars, (slot + 1) * self.chunk_bars, dtype=np.int64)

    def _clear(self, axis: Axis, chunks: list[Ints], *, window: int) -> Bools:
        """Return the bars whose input window and span keep clear of all chunks with their embargo."""
        low = np.array([axis.before(int(axis.ts[chunk[0]]), self.embargo_bars) for chunk in chunks], dtype=np.int64)
        ends = [int(axis.end[chunk].max()) for chunk in chunks]
        high = np.array([axis.embargoed(end, self.embargo_bars) for end in ends], dtype=np.int64)
        begin = axis.ts[np.maximum(np.arange(len(axis)) - (window - 1), 0)]
        return ~overlaps(begin, axis.end, low, high)

    def _too_little(self, axis: Axis, seen: str) -> InputError:
        held = self.valid_chunks + self.test_chunks
        gap = self.window_bars + 2 * (self.embargo_bars + axis.reach())
        enough = held * (2 * self.chunk_bars + gap) + gap
        return InputError(
            "splits",
            counted(len(axis), "labelled bar"),
            why=f"{seen}; {counted(enough, 'bar')} would be enough",
            fix="load more data, or lower chunk_bars, valid_chunks, test_chunks or window_bars",
        )
