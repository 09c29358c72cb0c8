"""Configuration records: closed, frozen, and every problem at once with its path."""

from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from karat.core import Config, ConfigError


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Model(Config):
    name: Literal["ewma", "lightgbm"]
    seeds: int = 5


class Fast(Config):
    kind: Literal["fast"] = "fast"
    speed: float = 1.0


class Study(Config):
    title: str
    models: tuple[Model, ...] = ()
    named: dict[str, Model] | None = None
    policy: Model | Fast | None = None
    alpha: float = 0.05
    colour: Colour = Colour.RED


def _problems(values: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Study.parse(values, source="study.yaml")
    assert str(caught.value).startswith(f"study.yaml: {len(caught.value.problems)} problem(s)\n  - ")
    return caught.value.problems


def test_a_good_record_is_returned_frozen() -> None:
    study = Study.parse({"title": "t", "models": [{"name": "ewma"}], "policy": None}, source="s")
    assert (study.models[0].seeds, study.policy) == (5, None)
    with pytest.raises(ValidationError, match="frozen"):
        study.title = "other"


@pytest.mark.req("EXP-01")
@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"title": "t", "alhpa": 0.1}, "alhpa: unknown key; allowed: {top}; did you mean 'alpha'?"),
        ({"title": "t", "zzz": 0.1}, "zzz: unknown key; allowed: {top}"),
        (
            {"title": "t", "models": [{"name": "ewma"}, {"name": "ewma", "seed": 3}]},
            "models.1.seed: unknown key; allowed: name, seeds; did you mean 'seeds'?",
        ),
        (
            {"title": "t", "named": {"first": {"name": "ewma", "nam": 3}}},
            "named.first.nam: unknown key; allowed: name, seeds; did you mean 'name'?",
        ),
        ({"models": []}, "title: required key is missing; add it"),
        (
            {"title": "t", "models": [{"name": "lightgmb"}]},
            "models.0.name: got 'lightgmb'; Input should be 'ewma' or 'lightgbm'; did you mean 'lightgbm'?",
        ),
        (
            {"title": "t", "models": [{"name": "zzz"}]},
            "models.0.name: got 'zzz'; Input should be 'ewma' or 'lightgbm'",
        ),
        (
            {"title": "t", "colour": "blu"},
            "colour: got 'blu'; Input should be 'red' or 'blue'; did you mean 'blue'?",
        ),
        ({"title": "t", "alpha": float("nan")}, "alpha: got nan; Input should be a finite number"),
        (
            {"title": "t", "alpha": "much"},
            "alpha: got 'much'; Input should be a valid number, unable to parse string as a number",
        ),
        ({"title": "t", "alpha": None}, "alpha: got None; Input should be a valid number"),
        ({"title": "t", 5: 1}, "5: got 5; Keys should be strings"),
        (None, "(top level): got None; expected keys and values"),
        (["title"], "(top level): got ['title']; expected keys and values"),
    ],
)
def test_a_problem_names_path_value_and_what_is_allowed(values: Any, problem: str) -> None:
    assert problem.replace("{top}", "alpha, colour, models, named, policy, title") in _problems(values)


def test_all_problems_come_at_once() -> None:
    problems = _problems({"alhpa": 1, "models": [{"seeds": "x"}], "colour": 5})
    assert [line.split(":")[0] for line in problems] == ["title", "models.0.name", "models.0.seeds", "colour", "alhpa"]


def test_an_unknown_key_below_a_union_is_named() -> None:
    problems = _problems({"title": "t", "policy": {"kind": "fast", "sped": 2}})
    assert any(
        "policy" in line and "sped: unknown key" in line and "did you mean 'speed'?" in line for line in problems
    )


def test_a_long_value_is_cut() -> None:
    (problem,) = _problems({"title": "t", "alpha": "x" * 10_000})
    assert len(problem) < 250
