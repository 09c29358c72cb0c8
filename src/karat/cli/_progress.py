"""Progress on stderr within a second of the start: a bar on a terminal, else a line a stage and every 5 seconds."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Final, Self

from karat.cli._output import say

_PAUSE_NS: Final = 5_000_000_000


class ProgressReporter:
    """Callable (stage, done, total); use as a context manager."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._last, self._said_ns = "", 0

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=Console(stderr=True))
            self._bars.start()
        return self

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        if self._bars is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._bars.update(self._tasks[stage], completed=done, total=total)
            return
        from karat.core import monotonic_ns

        now = monotonic_ns()
        if stage != self._last or done == total or now - self._said_ns >= _PAUSE_NS:
            say(f"{stage}: {done}/{total}")
            self._last, self._said_ns = stage, now

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
