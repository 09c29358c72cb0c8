"""Every error's sentence, its facts, its exit code and its way through a process boundary."""

import copy
import pickle

import pytest

from karat.core import (
    ConfigError,
    DataError,
    EnvironmentProblem,
    InputError,
    Interrupted,
    KaratError,
    LeakageError,
    LedgerError,
    MissingExtraError,
    nearest,
    require,
)

CASES: list[tuple[KaratError, str, int]] = [
    (
        InputError("horizon", "weak", allowed=["1d", "2d", "week"]),
        "horizon: got 'weak'; allowed: 1d, 2d, week; did you mean 'week'?",
        2,
    ),
    (
        InputError("seed", -1, allowed="0 or more", why="negative", fix="use 42"),
        "seed: got -1; negative; allowed: 0 or more; use 42",
        2,
    ),
    (InputError("x", None), "x: got None", 2),
    (InputError("x", "zzz", allowed=["alpha"]), "x: got 'zzz'; allowed: alpha", 2),
    (InputError("x", "y" * 500), "x: got '" + "y" * 118 + "…", 2),
    (
        ConfigError("study.yaml", ["a: unknown", "b: missing"]),
        "study.yaml: 2 problems\n  - a: unknown\n  - b: missing",
        2,
    ),
    (
        DataError("panel", "high >= low", rows=[3, 5], seen="low 4", fix="drop the rows"),
        "panel: got 'low 4'; rule 'high >= low' is broken at 3, 5; drop the rows",
        2,
    ),
    (
        DataError("panel", "sorted", seen="1 after 2", rows=range(7), fix="sort it"),
        "panel: got '1 after 2'; rule 'sorted' is broken at 0, 1, 2, 3, 4 (+2 more); sort it",
        2,
    ),
    (DataError("panel", "rows", seen=0, fix="add some"), "panel: got 0; rule 'rows' is broken; add some", 2),
    (
        LeakageError("feature rsi", "changed at 2018-01-02"),
        "feature rsi depends on the future: changed at 2018-01-02; nothing after known_at may be read",
        2,
    ),
    (LedgerError("cut", first_bad=7, fix="restore"), "ledger: cut (first bad entry: 7); restore", 1),
    (LedgerError("in use", fix="wait"), "ledger: in use; wait", 1),
    (EnvironmentProblem("no disk"), "no disk", 3),
    (
        MissingExtraError("ray", "distributed"),
        "ray: not installed; it comes with the extra 'distributed': pip install 'karat[distributed]'",
        3,
    ),
    (
        Interrupted("karat run study.yaml"),
        "interrupted; finished cells are kept; resume with: karat run study.yaml",
        130,
    ),
]


@pytest.mark.parametrize(("error", "text", "code"), CASES)
def test_1_every_message_is_the_documented_sentence(error: KaratError, text: str, code: int) -> None:
    assert str(error) == text
    assert error.exit_code == code
    assert isinstance(error, KaratError)


@pytest.mark.parametrize(("error", "text", "code"), CASES)
def test_3_errors_cross_a_process_boundary_whole(error: KaratError, text: str, code: int) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 (what a pool of workers does)
        assert type(twin) is type(error)
        assert str(twin) == text
        assert twin.exit_code == code
        assert vars(twin) == vars(error)
        assert twin.to_dict() == error.to_dict()


def test_2_the_facts_are_machine_readable() -> None:
    assert InputError("horizon", "4d", allowed=["1d"]).to_dict() == {
        "error": "InputError",
        "message": "horizon: got '4d'; allowed: 1d; did you mean '1d'?",
        "field": "horizon",
        "value": "'4d'",
        "why": None,
        "allowed": "1d",
        "fix": "did you mean '1d'?",
    }
    assert LedgerError("cut", first_bad=7, fix="restore").to_dict() == {
        "error": "LedgerError",
        "message": "ledger: cut (first bad entry: 7); restore",
        "problem": "cut",
        "first_bad": 7,
        "fix": "restore",
    }
    config = ConfigError("s.yaml", ["a: unknown"]).to_dict()
    assert (config["problems"], config["field"]) == (["a: unknown"], "s.yaml")
    assert DataError("t", "r", seen=1, rows=[1], fix="f").to_dict()["rows"] == ["1"]


def test_a_value_too_long_or_too_deep_to_show_is_cut() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert str(InputError("x", deep)) == "x: got <list, nested too deeply to show>"
    assert len(InputError("x", "y" * 10**6).value) == 2000


def test_nearest_names_what_is_close_and_nothing_else() -> None:
    assert nearest("lightgmb", ["lightgbm", "ewma"]) == "lightgbm"
    assert nearest("zzz", ["lightgbm", "ewma"]) is None
    assert nearest("1", [1, 22]) == "1"  # type: ignore[list-item]


def test_require_imports_or_names_the_extra() -> None:
    assert require("json", "none").dumps([]) == "[]"
    with pytest.raises(MissingExtraError, match=r"^no_such_module: not installed; .* 'karat\[some\]'$"):
        require("no_such_module", "some")
