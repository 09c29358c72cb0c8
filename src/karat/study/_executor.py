"""Where cells run. Every executor runs the same function on the same cells and yields results as they finish.

Invariants:
1. The order of completion never reaches a result: callers index by cell.
2. A worker whose parent died exits by itself within a second, so that a killed study leaves nothing behind.
3. A worker imports karat and the plug-ins it needs, never the script that called.
4. On Ctrl-C nothing new starts; running cells are ended, finished ones stay finished. The terminal sends the signal
   to every process of the study: only the parent listens.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol

from karat.core import EnvironmentProblem, require
from karat.study._again import THREAD_VARIABLES
from karat.study._config import ExecutorConfig

_POLL_SECONDS = 0.5


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
        pool = self._started()  # outside the block: what it starts first, a tracker of semaphores, ends the block
        try:
            with interrupts_held(), _script_hidden():  # workers are started here
                futures = {pool.submit(function, task): task for task in tasks}
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
            for name in THREAD_VARIABLES:  # inherited by the workers: results must not depend on the core count
                os.environ.setdefault(name, "1")
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=context, initializer=watch_parent, initargs=(os.getpid(),)
            )
        return self._pool


class RayExecutor:
    """The same cells on a ray cluster, or on a local one that is started for the study.

    On a cluster of several machines the workspace has to lie on a disk that all of them share.
    """

    def __init__(self, workers: int) -> None:
        self._ray: Any = require("ray", "distributed")
        self._ours = not self._ray.is_initialized()
        if self._ours:
            variables = dict.fromkeys(THREAD_VARIABLES, "1") | {"PYTHONPATH": search_path()}
            self._ray.init(
                num_cpus=workers,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={"env_vars": variables},
            )
        self._waiting: dict[Any, Any] = {}

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield (task, result) as tasks finish."""
        remote = self._ray.remote(max_retries=0)(function)
        self._waiting = {remote.remote(task): task for task in tasks}
        while self._waiting:
            ready, _ = self._ray.wait(list(self._waiting), num_returns=1)
            task = self._waiting.pop(ready[0])
            try:
                result = self._ray.get(ready[0])
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None  # the cell's own error, as the local executor raises it
            except self._ray.exceptions.RayError as error:
                fix = "look at the cluster; the same command resumes"
                raise EnvironmentProblem(f"executor: ray lost a cell ({type(error).__name__}); {fix}") from None
            yield task, result

    def close(self) -> None:
        """Drop what still waits, and stop the local cluster if it was ours."""
        for reference in self._waiting:
            self._ray.cancel(reference, force=True)
        self._waiting = {}
        if self._ours:
            self._ray.shutdown()


def make_executor(config: ExecutorConfig) -> Executor:
    """Return the executor a study asks for."""
    return RayExecutor(config.workers) if config.kind == "ray" else LocalExecutor(config.workers)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started: none is left half started, and none of them will listen to it.

    They inherit the mask of this thread. The handler is held as well, since the signal may reach another thread.
    """
    pressed: list[int] = []
    # handlers run, and can be set, in the main thread only; None is one that is not Python's
    mine = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    handler = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number)) if mine else None
    try:
        yield
    finally:
        if mine:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _script_hidden() -> Iterator[None]:
    """Start workers without the calling script: `spawn` would run a script again that calls `karat.run` at its top."""
    script = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: script[name] for name in ("__file__", "__spec__") if name in script}
    script.update(dict.fromkeys(kept))
    try:
        yield
    finally:
        script.update(kept)


def search_path() -> str:
    """Return where this process finds modules, for a process that has to find the same ones."""
    return os.pathsep.join(dict.fromkeys(path or os.getcwd() for path in sys.path))


def watch_parent(parent: int) -> None:
    """Exit when the parent is gone: a spawned worker holds both ends of its queue and would wait for ever."""

    def poll() -> None:
        while os.getppid() == parent:
            threading.Event().wait(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=poll, daemon=True, name="parent-watch").start()
