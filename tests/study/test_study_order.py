"""What comes before what: selection before Test, openings before test cells, no labels where forecasts are made."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from study_factory import World

from karat.core import DataError, Ledger, LedgerError
from karat.data import Inputs, Test, Train, Valid
from karat.models import MODELS, Forecaster
from karat.study import StudyConfig, _cells, _pipeline, _prepare
from karat.study._cells import Task, moved_by_the_future, read_result, run_cell
from karat.study._context import Run
from karat.study._entries import open_tests
from karat.study._judge import score_tests, select
from karat.study._plan import make_plan
from karat.study._prepare import assemble, load_prepared, prepare_dataset, save_dataset

SMALL: dict[str, Any] = {"verdict": {"draws": 400}}


def make_run(world: World, ledger: Ledger, **changes: Any) -> Run:
    """Return a study that is planned and has run nothing."""
    from study_factory import small_study

    config = StudyConfig.parse(small_study(**changes), source="test")
    dataset = prepare_dataset(config)
    prepared = assemble(dataset.panel, dataset.features, config.horizons, config.splits)
    folder = save_dataset(dataset, world.place.prepared)
    plan = make_plan(config, dataset.panel, prepared, folder.name)
    return Run(config, world.place, ledger, dataset, prepared, plan, folder, lambda *_: None)


def test_the_ledger_shows_the_order(finished: World) -> None:
    result = finished.latest()
    entries = finished.entries()
    kinds = [entry.kind for entry in entries]
    roles = {address: role for address, role in _roles(finished).items() if address in result.manifest["cells"]}
    cells = {entry.payload["cell"]: entry.seq for entry in entries if entry.kind == "cell"}
    opened = {entry.payload["cell"]: entry.seq for entry in entries if entry.kind == "open"}
    freeze = kinds.index("freeze")
    tests = [address for address, role in roles.items() if role == "test"]
    assert set(opened) == set(tests)
    assert all(seq < freeze for address, seq in cells.items() if roles[address] == "select")
    assert all(freeze < opened[address] < cells[address] for address in tests)
    assert kinds.index("study") == 0
    assert max(seq for seq, kind in enumerate(kinds) if kind == "trial") < freeze
    assert kinds[-1] == "verdict"
    declared = entries[freeze].payload["declaration"]
    assert set(declared) == {"primary_loss", "primary_horizon", "policy", "alpha", "min_sharpe"}


def _roles(world: World) -> dict[str, str]:
    found = {}
    for path in world.place.cells.glob("*/cell.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        found[values["address"]] = values["cell"]["role"]
    return found


def test_openings_are_recorded_before_a_test_cell_is_dispatched(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        """The first test cell was about to run."""

    class Watching:
        """Stops at the first test cell."""

        def map(self, function: Any, tasks: Any) -> Any:
            for task in tasks:
                if task.cell.role == "test":
                    raise Stopped
                yield task, function(task)

        def close(self) -> None:
            """Nothing to free."""

    monkeypatch.setattr(_pipeline, "make_executor", lambda _config: Watching())
    with pytest.raises(Stopped):
        quick.run()
    kinds = quick.kinds()
    assert kinds["open"] == 12
    assert kinds["freeze"] == 1
    assert "series" not in kinds


def test_labels_of_test_need_a_recorded_opening(quick: World) -> None:
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        run = make_run(quick, ledger)
        for cell in run.plan.cells:
            run_cell(run.task(cell))
        selection = select(run)
        with pytest.raises(LedgerError, match=r"Test of cell .* was never opened"):
            score_tests(run, selection)
        open_tests(run)
        assert len(score_tests(run, selection).summaries) == 6


def test_selection_sees_no_row_of_test(quick: World) -> None:
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        run = make_run(quick, ledger)
        open_tests(run)
        selecting, testing = run.labels("1d", "select"), run.labels("1d", "test")
    assert selecting["ts"].max() < testing["ts"].min()  # type: ignore[operator]
    first = min(fold.test.min() for fold in run.prepared.folds["1d"] if fold.test is not None)
    ends = run.prepared.labels["1d"].end_ns
    used = [np.concatenate([fold.train, fold.valid]) for fold in run.prepared.folds["1d"] if fold.role == "select"]
    assert max(int(ends[rows].max()) for rows in used) <= run.prepared.labels["1d"].start_ns[first]


class Spy(Forecaster):
    """Notes what it is given."""

    name = "spy"
    seen: ClassVar[list[Any]] = []

    def _fit(self, train: Train, valid: Valid) -> None:
        self.seen.append((type(train), type(valid), int(train.labels.end_ns.max()), int(valid.labels.end_ns.max())))

    def predict(self, inputs: Inputs) -> Any:
        self.seen.append((type(inputs), hasattr(inputs, "labels"), hasattr(inputs, "_labels"), int(inputs.ts.min())))
        self.seen.append(int(inputs.table.known_at.max()) == int(inputs.known_at.max()))
        return super().predict(inputs)

    def _predict(self, inputs: Inputs) -> Any:
        return np.tile(np.linspace(-0.02, 0.02, 23), (len(inputs), 1)), None

    def _state(self) -> Any:
        from karat.models import State

        return State()

    def _restore(self, state: Any) -> None:
        """Nothing was learned."""


@pytest.mark.parametrize("role", ["select", "test"])
def test_a_worker_hands_out_no_labels_to_forecast_with(
    quick: World, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setitem(MODELS, "spy", Spy)
    Spy.seen.clear()
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        run = make_run(quick, ledger, models=[{"name": "spy"}])
        cell = run.plan.of(run.plan.entrant("spy"), "1d", role)[-1]
        run_cell(run.task(cell))
    (train, valid, train_end, valid_end), (inputs, labels, sealed, first), cut = Spy.seen
    assert (train, valid, inputs) == (Train, Valid, Inputs)
    assert not labels
    assert not sealed
    assert cut, "the table ends with the view"
    if role == "test":
        assert max(train_end, valid_end) <= first
    task = pickle.dumps(run.task(cell))
    assert Test.__name__ not in task.decode("latin-1").replace("TestFrac", "")


def test_fit_refuses_test(quick: World) -> None:
    from karat.core import InputError
    from karat.labels import views

    with Ledger.open(quick.place.ledger, role="research") as ledger:
        run = make_run(quick, ledger)
    train, _, test = views(run.prepared.table, run.prepared.labels["1d"], run.prepared.folds["1d"][-1], "1d")
    with pytest.raises(InputError, match="a forecaster never learns from Test"):
        MODELS["ewma"]().fit(train, test)  # type: ignore[arg-type]


@pytest.fixture
def task(quick: World) -> Task:
    """A selection cell of the candidate."""
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        run = make_run(quick, ledger)
        return run.task(run.plan.of(run.plan.candidates[0], "1d", "select")[0])


def test_a_finished_cell_is_only_read(task: Task) -> None:
    first = run_cell(task)
    before = (Path(task.target) / "cell.json").stat().st_mtime_ns
    assert run_cell(task) == first == read_result(Path(task.target))
    assert (Path(task.target) / "cell.json").stat().st_mtime_ns == before
    assert moved_by_the_future(task) == 0


def test_a_cell_that_somebody_finished_first_stays(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_cell(task)
    monkeypatch.setattr(_cells, "is_finished", lambda _folder: False)
    assert run_cell(task) == first
    assert [item.name for item in Path(task.target).parent.iterdir()] == [Path(task.target).name]


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (lambda path: (path / "forecast.parquet").write_bytes(b"PAR1"), "readable as it was written"),
        (lambda path: (path / "forecast.parquet").unlink(), "readable as it was written"),
        (lambda path: (path / "cell.json").write_text("{"), "cell.json as it was written"),
        (lambda path: (path / "cell.json").write_text("{}"), "cell.json as it was written"),
    ],
)
def test_a_damaged_cell_stops_the_study_that_meets_it(finished: World, damage: Any, rule: str) -> None:
    address = next(address for address, role in _roles(finished).items() if role == "test")
    damage(finished.place.cells / address)
    with pytest.raises(DataError, match=rule) as caught:
        finished.run()
    assert f"delete {finished.place.cells / address} and run again" in str(caught.value)


def test_a_changed_forecast_stops_the_study_that_meets_it(finished: World) -> None:
    address = next(iter(_roles(finished)))
    path = finished.place.cells / address / "forecast.parquet"
    pl.read_parquet(path).with_columns(pl.col("q0.5") + 1e-9).write_parquet(path)
    with pytest.raises(DataError, match="content equals its recorded hash"):
        finished.run()


@pytest.mark.parametrize("name", ["panel.parquet", "features.parquet", "meta.json"])
@pytest.mark.parametrize("how", ["changed", "cut"])
def test_workers_refuse_prepared_data_that_was_changed(quick: World, name: str, how: str) -> None:
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        run = make_run(quick, ledger)
    path = run.folder / name
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif name == "meta.json":
        path.write_text(path.read_text(encoding="utf-8").replace("XNYS", "24/7"), encoding="utf-8")
    else:
        frame = pl.read_parquet(path)
        last = frame.columns[-1]
        frame.with_columns(pl.col(last) + 1e-9).write_parquet(path)
    load_prepared.cache_clear()
    with pytest.raises(DataError, match="content equals its address") as caught:
        run_cell(run.task(run.plan.cells[0]))
    assert f"delete {run.folder} and run again" in str(caught.value)


def test_prepared_data_that_another_study_wrote_first_stays(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        run = make_run(quick, ledger)
    before = (run.folder / "meta.json").stat().st_ino
    monkeypatch.setattr(type(run.folder), "exists", lambda _path: False)
    assert save_dataset(run.dataset, quick.place.prepared) == run.folder
    assert (run.folder / "meta.json").stat().st_ino == before
    assert [item.name for item in quick.place.prepared.iterdir()] == [run.folder.name]


def test_what_is_left_of_a_killed_cell_is_swept_away(quick: World) -> None:
    stale = quick.place.cells / "0123.999.partial"
    (stale / "model").mkdir(parents=True)
    quick.run()
    assert not stale.exists()


def test_addresses_depend_on_what_can_change_a_result_only(quick: World) -> None:
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        base = make_run(quick, ledger)
        same = make_run(quick, ledger, name="other", verdict={"alpha": 0.1}, policy={"cap": 1.0}, seeds=7)
        more = make_run(quick, ledger, seed=43)
        other = make_run(quick, ledger, features=["ret_1"])
    addresses = [{cell.address for cell in run.plan.cells} for run in (base, same, more, other)]
    assert addresses[0] == addresses[1]
    assert not addresses[0] & addresses[2]
    assert not addresses[0] & addresses[3]
    assert len({cell.address for cell in base.plan.cells}) == len(base.plan.cells)


def test_titles_stay_apart_where_labels_do_not(quick: World) -> None:
    models = [
        {"name": "linear_quantile", "label": "ewma"},
        {"name": "ewma", "params": {"decay": 0.9}, "label": "ewma"},
    ]
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        plan = make_run(quick, ledger, models=models).plan
    titles = [item.title for item in plan.entrants]
    assert len(set(titles)) == len(titles)
    assert [item.baseline for item in plan.entrants] == [True] * 5 + [False] * 2
    assert dataclasses.asdict(plan.cells[0])["role"] == "select"
    assert _prepare.Prepared
