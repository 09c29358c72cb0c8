"""Turns of work on several threads, the caller's among them: compiled code holds no lock, so they run side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def each(work: Callable[[T], object], items: Iterable[T], threads: int) -> None:
    """Call `work` once for every item, on `threads` threads; each takes the next item when it is done with one.

    The first error that a thread met is raised when all have ended; a thread ends with its first error.

    Example:
        >>> seen = []
        >>> each(seen.append, [1, 2, 3], threads=1)
        >>> seen
        [1, 2, 3]
    """
    turns = iter(list(items))

    def take_turns() -> None:
        for item in turns:
            work(item)

    if threads == 1:
        return take_turns()
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(take_turns) for _ in range(threads - 1)]
        take_turns()
        for other in others:
            other.result()
    return None
