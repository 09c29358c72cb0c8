"""Configuration records: closed, frozen, and every problem at once with its path."""

import datetime as dt
from enum import Enum
from typing import Any, Literal, Self

import pytest
from pydantic import Field, ValidationError, field_validator, model_validator

from karat._words import counted
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
    share: float = Field(default=0.5, gt=0, lt=1)
    days: tuple[dt.date, ...] = Field(default=(dt.date(2015, 1, 2),), min_length=1)
    short: int = 1
    long: int = 2
    code: str = "a"

    @field_validator("code")
    @classmethod
    def _small(cls, value: str) -> str:
        if not value.islower():
            raise ValueError("allowed: small letters")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.short > self.long:
            raise ValueError(f"short: got {self.short}; it is above long, {self.long}; lower it")
        return self


def _problems(values: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Study.parse(values, source="study.yaml")
    assert str(caught.value).startswith(f"study.yaml: {counted(len(caught.value.problems), 'problem')}\n  - ")
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
            "models.0.name: got 'lightgmb'; allowed: ewma, lightgbm; did you mean 'lightgbm'?",
        ),
        (
            {"title": "t", "models": [{"name": "zzz"}]},
            "models.0.name: got 'zzz'; allowed: ewma, lightgbm",
        ),
        (
            {"title": "t", "colour": "blu"},
            "colour: got 'blu'; allowed: red, blue; did you mean 'blue'?",
        ),
        ({"title": "t", "alpha": float("nan")}, "alpha: got nan; allowed: a finite number"),
        ({"title": "t", "alpha": "much"}, "alpha: got 'much'; allowed: a number"),
        ({"title": "t", "share": 3}, "share: got 3; allowed: below 1"),
        ({"title": "t", "share": 0}, "share: got 0; allowed: above 0"),
        ({"title": "t", "days": []}, "days: got []; allowed: a list of 1 or more entries"),
        ({"title": "t", "days": ["x"]}, "days.0: got 'x'; allowed: a date, e.g. 2015-12-31"),
        ({"title": "t", "short": 5, "long": 2}, "short: got 5; it is above long, 2; lower it"),
        ({"title": "t", "code": "A"}, "code: got 'A'; allowed: small letters"),
        ({"title": "t", "alpha": None}, "alpha: got None; allowed: a number"),
        ({"title": "t", 5: 1}, "5: got 5; Keys should be strings"),
        (None, "(top level): got None; allowed: keys and values"),
        (["title"], "(top level): got ['title']; allowed: keys and values"),
    ],
)
def test_a_problem_names_path_value_and_what_is_allowed(values: Any, problem: str) -> None:
    assert problem.replace(
        "{top}", "alpha, code, colour, days, long, models, named, policy, share, short, title"
    ) in _problems(values)


def test_all_problems_come_at_once() -> None:
    problems = _problems({"alhpa": 1, "models": [{"seeds": "x"}], "colour": 5})
    assert [line.split(":")[0] for line in problems] == ["title", "models.0.name", "models.0.seeds", "colour", "alhpa"]


def test_a_list_is_not_called_short_when_its_entries_were_refused() -> None:
    assert _problems({"title": "t", "days": ["x"]}) == ["days.0: got 'x'; allowed: a date, e.g. 2015-12-31"]


def test_the_line_is_named_where_it_is_known() -> None:
    values = {"title": "t", "alhpa": 1, "short": 5, "long": 2}
    with pytest.raises(ConfigError) as caught:
        Study.parse({**values, "alhpa": 1}, source="s", line={("alhpa",): 7}.get)
    assert caught.value.problems[0].startswith("alhpa (line 7): unknown key")
    values.pop("alhpa")
    with pytest.raises(ConfigError) as caught:
        Study.parse(values, source="s", line={("short",): 3}.get)
    assert caught.value.problems == ["short (line 3): got 5; it is above long, 2; lower it"]


def test_an_unknown_key_below_a_union_is_named() -> None:
    problems = _problems({"title": "t", "policy": {"kind": "fast", "sped": 2}})
    assert any(
        "policy" in line and "sped: unknown key" in line and "did you mean 'speed'?" in line for line in problems
    )


def test_a_long_value_is_cut() -> None:
    (problem,) = _problems({"title": "t", "alpha": "x" * 10_000})
    assert len(problem) < 250
