"""Content hashes and randomness: equal content, equal hash, in this process and in fresh ones."""

import dataclasses
import datetime as dt
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from karat.core import (
    Config,
    InputError,
    canonical_json,
    content_hash,
    derive_seed,
    file_digests,
    generator,
    set_all_seeds,
    tree_hash,
    validate_determinism,
)


@dataclasses.dataclass
class Point:
    x: float
    name: str = "p"


class Settings(Config):
    x: int = 1


@pytest.fixture
def kept() -> Iterator[None]:
    """Give every global generator and torch's flags back as they were."""
    state, legacy, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    flags = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    yield
    random.setstate(state)
    np.random.set_state(legacy)
    torch.set_rng_state(tensors)
    torch.set_deterministic_debug_mode("error" if flags[0] else "default")
    torch.backends.cudnn.benchmark = flags[1]


DISTINCT: list[Any] = [
    None,
    True,
    1,
    1.0,
    "1",
    b"1",
    np.float32(1.0),
    [1],
    [[1]],
    [1, 1],
    {"1": 1},
    {"1": "1"},
    set(),
    {1, 2},
    np.array([1]),
    np.array([[1]]),
    np.array([1.0]),
    np.array(["1"]),
    np.array([None, 1], dtype=object),
    np.array([1 + 1j]),
    np.array(["2018-01-01"], dtype="datetime64[D]"),
    dt.date(2018, 1, 1),
    dt.datetime(2018, 1, 1, tzinfo=dt.UTC),
    dt.timedelta(1),
    dt.time(1),
    Decimal(1),
    Point(1.0),
    Point(1.0, "q"),
    Settings(x=2),
    torch.tensor([2.0]),
    pl.DataFrame({"a": [1, 2]}),
    pl.DataFrame({"b": [1, 2]}),
    pl.DataFrame({"a": [1.0, 2.0]}),
    pl.DataFrame({"a": [1, None]}),
    pl.DataFrame({"a": ["x", "y"]}),
    pl.DataFrame({"a": [dt.date(2018, 1, 1), None]}),
    pl.DataFrame({"a": [Decimal("1.5"), None]}),
    pl.DataFrame({"a": [[1.0], None]}),
    pl.DataFrame({"a": [1, 2], "b": [1, 2]}),
    pl.DataFrame({"b": [1, 2], "a": [1, 2]}),
]


def test_1_different_content_has_different_hashes() -> None:
    hashes = [content_hash(value) for value in DISTINCT]
    assert len(set(hashes)) == len(DISTINCT)
    assert hashes == [content_hash(value) for value in DISTINCT]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": [1.0]}, {"b": [1.0], "a": 1}),
        ([1, 2], (1, 2)),
        ({3, 1, 2}, frozenset([2, 3, 1])),
        (Path("a/b"), "a/b"),
        (1.0, np.float64(1.0)),
        (0.0, -0.0),
        (float("nan"), -float("nan")),
        (np.array([0.0, np.nan]), np.array([-0.0, np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\x7f")[0]])),
        (np.array([0j]), np.array([-0.0 - 0j])),
        (np.arange(6).reshape(2, 3)[:, ::2], np.arange(6).reshape(2, 3)[:, ::2].copy()),
        (pl.DataFrame({"a": [1, 2, 3]})[1:], pl.DataFrame({"a": [2, 3]})),
        (torch.tensor([1.0]), np.array([1.0], dtype=np.float32)),
        (Point(0.0), Point(-0.0)),
        (Settings(), {"x": 1}),
    ],
)
def test_2_equal_content_has_one_hash(one: Any, other: Any) -> None:
    assert content_hash(one) == content_hash(other)


def test_1_an_undefined_type_is_named() -> None:
    with pytest.raises(InputError) as caught:
        content_hash({"f": [print]})
    message = "value: got 'builtin_function_or_method'; allowed: plain values, arrays, frames, records, tensors"
    assert str(caught.value) == message


def test_1_the_hash_is_stable_across_versions() -> None:
    # fixed on 2026-11-20: a change here makes every stored cell address and run hash void
    value = {"a": [1, 2.5, None, True], "b": np.arange(3.0), "c": pl.DataFrame({"x": [1, 2]})}
    assert content_hash(value) == "2b4c457bce236ad7390365dc6435c01e64b6de498903a63de1341b449e414df2"


def test_3_file_and_tree_digests(tmp_path: Path) -> None:
    data = b"karat" * 500_000
    (tmp_path / "a.py").write_bytes(data)
    assert file_digests(tmp_path / "a.py") == (hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest())
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_text("x = 1")
    (tmp_path / "c.txt").write_text("not counted")
    first = tree_hash(tmp_path)
    (tmp_path / "c.txt").write_text("changed")
    assert tree_hash(tmp_path) == first != tree_hash(tmp_path, "*.py")
    (tmp_path / "sub" / "b.py").rename(tmp_path / "sub" / "d.py")
    assert tree_hash(tmp_path) != first


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.booleans() | st.none()))
def test_canonical_json_does_not_depend_on_order(values: dict[str, Any]) -> None:
    backwards = dict(reversed(values.items()))
    assert canonical_json(values) == canonical_json(backwards)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"x": print}, "\ud800", {1: 1, "a": 2}])
def test_canonical_json_refuses_what_is_no_json(value: Any) -> None:
    with pytest.raises(InputError, match=r"^spec: got .*; allowed: JSON without NaN or infinity"):
        canonical_json(value, field="spec")


# -- randomness ------------------------------------------------------------------------------------------------------


def test_1_streams_depend_on_seed_and_names_only() -> None:
    draw = generator(1, "a", 2).random(4)
    generator(1, "b").random(100)
    assert (generator(1, "a", 2).random(4) == draw).all()
    others = [generator(2, "a", 2), generator(1, "a"), generator(1, "a2"), generator(1, "a", 3), generator(1)]
    assert all((other.random(4) != draw).all() for other in others)
    assert derive_seed(1, "a") == derive_seed(1, "a") != derive_seed(1, "b")
    assert 0 <= derive_seed(42) < 2**31


def _draws() -> list[float]:
    return [random.random(), float(np.random.random()), float(torch.rand(1))]


@pytest.mark.req("EXP-02")
def test_2_set_all_seeds_sets_python_numpy_and_torch(kept: None) -> None:
    set_all_seeds(7)
    first = _draws()
    set_all_seeds(8)
    second = _draws()
    set_all_seeds(7)
    assert _draws() == first
    assert all(a != b for a, b in zip(first, second))
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    set_all_seeds()
    default = _draws()
    set_all_seeds(42)
    assert _draws() == default


@pytest.mark.gpu
@pytest.mark.req("EXP-02", "EXP-03")
def test_2_set_all_seeds_sets_cuda(kept: None) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    set_all_seeds(7)
    first = torch.rand(3, device="cuda")
    set_all_seeds(7)
    assert torch.equal(torch.rand(3, device="cuda"), first)


def test_2_without_torch_the_others_are_seeded(kept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    set_all_seeds(7)
    first = random.random(), np.random.random()
    set_all_seeds(7)
    assert (random.random(), np.random.random()) == first


@pytest.mark.req("EXP-02")
def test_2_torch_is_not_loaded_to_be_seeded_and_is_seeded_when_it_is_loaded() -> None:
    code = """
import importlib.util, sys
from karat.core import set_all_seeds
set_all_seeds(5)
set_all_seeds(6)
assert importlib.util.find_spec("torch") is not None  # who only looks for it takes nothing away
assert "torch" not in sys.modules
import torch
found = torch.rand(3)
torch.manual_seed(6)
print(torch.equal(found, torch.rand(3)), torch.are_deterministic_algorithms_enabled())
set_all_seeds(5)
found = torch.rand(3)
torch.manual_seed(5)
print(torch.equal(found, torch.rand(3)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True", "True"], done.stderr


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "42", True, None])
def test_2_a_seed_that_is_none_is_named(seed: Any) -> None:
    with pytest.raises(InputError) as caught:
        set_all_seeds(seed)
    assert str(caught.value) == f"seed: got {seed!r}; allowed: an integer from 0 to 4294967295"


def test_3_validate_determinism_sees_both(kept: None) -> None:
    counter = iter(range(100))
    assert validate_determinism(lambda data: [*_draws(), data], 5)
    assert validate_determinism(lambda data: torch.rand(3) * data, 2.0, 5, seed=3)
    assert not validate_determinism(lambda data: next(counter), None)
    entropy = iter([0.0, 1e-300, 0.0])
    assert not validate_determinism(lambda data: next(entropy), None)  # not within a tolerance
    with pytest.raises(InputError) as caught:
        validate_determinism(lambda data: 1, None, 1)
    assert str(caught.value) == "n_runs: got 1; one run cannot differ from itself; allowed: 2 or more"


FRESH = """
import random
import numpy as np
from karat.core import content_hash, generator, set_all_seeds
set_all_seeds(42)
import torch
torch.set_num_threads(1)
for seed in (42, 43):
    set_all_seeds(seed)
    layer = torch.nn.Linear(8, 4)
    loss = layer(torch.randn(16, 8)).square().mean()
    loss.backward()
    draws = [random.random(), np.random.random(3), generator(seed, "x").random(3)]
    print(content_hash([draws, layer.weight, layer.weight.grad, {"set": {"a", "b", "c"}}]))
"""


@pytest.mark.req("EXP-02", "EXP-03")
def test_1_three_fresh_processes_agree_and_another_seed_differs() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", FRESH],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": str(number)},
        )
        for number in range(3)
    ]
    outputs = {process.communicate()[0] for process in running}
    assert len(outputs) == 1
    first, other = outputs.pop().split()
    assert first != other
    assert len(first) == 64


LIGHT = """
import sys
import karat.core
heavy = {"torch", "polars", "pandas", "scipy", "structlog", "sqlalchemy", "numba", "lightgbm", "sklearn", "matplotlib"}
print(sorted(heavy & set(sys.modules)))
"""


def test_importing_core_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_public_names_are_sorted_and_complete() -> None:
    import karat.core as room

    found = {name for name in vars(room) if not name.startswith("_")}
    assert found - set(room.__all__) == set()
    assert set(room.__all__) <= found
    assert len(set(room.__all__)) == len(room.__all__)
