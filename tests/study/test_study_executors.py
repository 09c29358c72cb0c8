"""Where cells run: processes of this machine, or ray; the same results, and errors that say what to do."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from study_factory import World, command, environment, make_package, small_study, write_study

from karat.core import EnvironmentProblem, MissingExtraError
from karat.study import _executor
from karat.study._config import ExecutorConfig
from karat.study._executor import LocalExecutor, interrupts_held, make_executor, watch_parent

RAY = ExecutorConfig(kind="ray", workers=1)


def test_workers_answer_and_one_that_dies_ends_the_study_with_a_fix() -> None:
    executor = make_executor(ExecutorConfig(workers=1))
    assert isinstance(executor, LocalExecutor)
    assert dict(executor.map(abs, [-1, -2])) == {-1: 1, -2: 2}
    with pytest.raises(
        EnvironmentProblem, match="a worker process died; look at memory use, or run with fewer workers"
    ):
        list(executor.map(os._exit, [9]))
    executor.close()


def test_a_study_that_stops_asking_ends_its_workers() -> None:
    executor = LocalExecutor(1)
    results = executor.map(abs, [-1, -2, -3])
    assert next(results)[1] in (1, 2, 3)
    results.close()
    assert executor._pool is None
    executor.close()


def test_a_script_may_start_workers_at_its_top(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from karat.study._executor import LocalExecutor\n"
        "executor = LocalExecutor(1)\n"
        "print(sorted(executor.map(abs, [-2, -1])))\n"
        "executor.close()\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment(), timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[(-2, 2), (-1, 1)]\n"


@pytest.mark.parametrize("thread", ["this", "any"])
def test_ctrl_c_waits_while_processes_are_started(thread: str) -> None:
    done = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner in the background may ignore it

    def press_while_held() -> None:
        with interrupts_held():
            if thread == "this":
                signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            else:
                os.kill(os.getpid(), signal.SIGINT)
            done.append(sum(range(100_000)))

    try:
        with pytest.raises(KeyboardInterrupt):
            press_while_held()
        assert done, "what was under way came to its end"
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_may_start_processes() -> None:
    seen = []

    def start() -> None:
        with interrupts_held():
            seen.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set()))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert seen == [True]


def test_a_worker_without_a_parent_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, codes = threading.Event(), []
    answers = iter([1, 1, 2])

    def leave(code: int) -> None:
        codes.append(code)
        ended.set()

    monkeypatch.setattr(_executor, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(_executor.os, "getppid", lambda: next(answers, 2))
    monkeypatch.setattr(_executor.os, "_exit", leave)
    watch_parent(1)
    assert ended.wait(5.0)
    assert codes == [1]


class FakeTaskError(Exception):
    """A task failed."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class FakeRayError(Exception):
    """The cluster failed."""


class FakeRay:
    """Runs tasks when they are asked for, as ray's interface has it."""

    class exceptions:
        """Ray's error classes."""

        RayTaskError = FakeTaskError
        RayError = FakeRayError

    def __init__(self, *, running: bool = False) -> None:
        self.running, self.settings, self.stopped, self.cancelled = running, {}, False, []

    def is_initialized(self) -> bool:
        """Whether there is a cluster already."""
        return self.running

    def init(self, **settings: Any) -> None:
        """Start one."""
        self.settings = settings

    def shutdown(self) -> None:
        """Stop it."""
        self.stopped = True

    def remote(self, **_options: Any) -> Any:
        """Return what makes a function remote."""

        class Remote:
            def __init__(self, function: Any) -> None:
                self.function = function

            def remote(self, task: Any) -> Any:
                return (self.function, task)

        return Remote

    def wait(self, references: list[Any], num_returns: int) -> tuple[list[Any], list[Any]]:
        """Return the last reference first: order must not matter."""
        return references[-num_returns:], references[:-num_returns]

    def get(self, reference: Any) -> Any:
        """Run it."""
        function, task = reference
        try:
            return function(task)
        except FakeRayError:
            raise
        except Exception as error:
            raise FakeTaskError(error) from None

    def cancel(self, reference: Any, force: bool) -> None:
        """Note that it was cancelled."""
        self.cancelled.append(reference)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    """A ray that runs in this process."""
    ray = FakeRay()
    monkeypatch.setattr("karat.study._executor.require", lambda _module, _extra: ray)
    return ray


def test_tasks_come_back_with_their_results(fake: FakeRay) -> None:
    executor = make_executor(RAY)
    assert dict(executor.map(abs, [-1, -2, -3])) == {-1: 1, -2: 2, -3: 3}
    executor.close()
    assert fake.stopped
    assert fake.settings["num_cpus"] == 1
    assert fake.settings["runtime_env"]["env_vars"]["OMP_NUM_THREADS"] == "1"


def test_a_cluster_that_was_there_stays(fake: FakeRay) -> None:
    fake.running = True
    executor = make_executor(RAY)
    results = executor.map(abs, [-1, -2])
    next(results)
    executor.close()
    assert not fake.stopped
    assert len(fake.cancelled) == 1


def test_errors_of_cells_arrive_as_they_were_raised(fake: FakeRay) -> None:
    def broken(_task: int) -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(make_executor(RAY).map(broken, [1]))


def test_a_lost_cell_ends_the_study_with_a_fix(fake: FakeRay) -> None:
    def lost(_task: int) -> None:
        raise FakeRayError

    with pytest.raises(EnvironmentProblem, match=r"ray lost a cell \(FakeRayError\); look at the cluster"):
        list(make_executor(RAY).map(lost, [1]))


def test_without_ray_the_extra_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def absent(name: str, *rest: Any) -> Any:
        if name == "ray":
            raise ModuleNotFoundError("No module named 'ray'", name="ray")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"ray: not installed; .*pip install 'karat\[distributed\]'"):
        make_executor(RAY)


@pytest.mark.slow
def test_ray_gives_the_forecasts_of_local_processes(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    env = environment(make_package(tmp_path / "site"))
    models = [{"name": "toy_chance"}, {"name": "linear_quantile"}]
    found = {}
    for kind in ("local", "ray"):
        study = small_study(models=models, plugins=["toy_chance"], executor={"kind": kind, "workers": 1})
        path = write_study(tmp_path / f"{kind}.yaml", study)
        done = command("run", path, "-w", tmp_path / kind, "--json", env=env)
        assert done.returncode == 0, done.stderr
        run_id = json.loads(done.stdout)["run_id"]
        found[kind] = json.loads((tmp_path / kind / "runs" / run_id / "run.json").read_text())
    for name in ("cells", "results", "verdict", "run_id"):
        assert found["local"][name] == found["ray"][name], name
