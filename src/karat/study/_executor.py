"""Where cells run. Every executor runs the same function on the same cells and yields results as they finish.

Invariants:
1. The order of completion never reaches a result: callers index by cell.
2. A worker whose parent died exits by itself within a second, so that a killed study leaves nothing behind.
3. On Ctrl-C nothing new starts; running cells are ended, finished ones stay finished.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from karat.core import EnvironmentProblem, require
from karat.study._config import ExecutorConfig

_POLL_SECONDS = 0.5
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Executor(Protocol):
    """Runs `function(task)` for every task."""

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield (task, result) in any order."""
        ...

    def close(self) -> None:
        """Free what the executor holds."""
        ...


class LocalExecutor:
    """Processes on this machine, started fresh (never forked), one thread of linear algebra each."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield (task, result) as tasks finish."""
        pool = self._started()
        futures = {pool.submit(function, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            fix = "look at memory use, or run with fewer workers; the same command resumes"
            raise EnvironmentProblem(f"executor: a worker process died; {fix}") from None
        except (KeyboardInterrupt, GeneratorExit):
            self.close()
            raise

    def close(self) -> None:
        """End the workers at once; what they had not finished is run again next time."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        workers = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(timeout=2)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            for name in _THREAD_VARIABLES:  # inherited by the workers: results must not depend on the core count
                os.environ.setdefault(name, "1")
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=context, initializer=_watch, initargs=(os.getpid(),)
            )
        return self._pool


class RayExecutor:
    """The same cells on a ray cluster, or on a local one that is started for the study."""

    def __init__(self, workers: int) -> None:
        self._ray: Any = require("ray", "distributed")
        self._ours = not self._ray.is_initialized()
        if self._ours:
            self._ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield (task, result) as tasks finish."""
        remote = self._ray.remote(function)
        waiting = {remote.remote(task): task for task in tasks}
        while waiting:
            ready, _ = self._ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(ready[0]), self._ray.get(ready[0])

    def close(self) -> None:
        """Stop the local cluster, if it was ours."""
        if self._ours:
            self._ray.shutdown()


def make_executor(config: ExecutorConfig) -> Executor:
    """Return the executor a study asks for."""
    return RayExecutor(config.workers) if config.kind == "ray" else LocalExecutor(config.workers)


def _watch(parent: int) -> None:
    """Exit when the parent is gone: a spawned worker holds both ends of its queue and would wait for ever."""

    def poll() -> None:
        while os.getppid() == parent:
            threading.Event().wait(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=poll, daemon=True, name="parent-watch").start()
