"""karat config: every value with its source; options over environment over file over defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_factory import ROOT, karat, write_study

from karat.study import study_schema


def sources(study: Path, *words: str, env: dict[str, str] | None = None) -> dict[str, tuple[object, str]]:
    """Return path to (value, source) as `config show --json` tells it."""
    facts = karat("config", "show", study, *words, "--json", env=env).facts
    found = {}
    for path, source in facts["sources"].items():
        value = facts["config"]
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        found[path] = (value, source)
    return found


@pytest.mark.req("EXP-01")
def test_every_value_says_where_it_came_from(tmp_path: Path) -> None:
    found = sources(write_study(tmp_path))
    assert found["seeds"] == (2, "file")
    assert found["seed"] == (42, "default")
    assert found["splits.test_frac"] == (0.45, "file")
    assert found["splits.embargo_bars"] == (1, "default")
    assert found["models.0.name"] == ("linear_quantile", "file")
    assert found["models.0.label"] == (None, "default")
    assert found["joins"] == ([], "default")
    assert found["data.params.n_days"] == (1400, "file")


def test_options_win_over_environment_over_file_over_default(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    env = {"KARAT__SEEDS": "3", "KARAT__SPLITS__VALID_BARS": "99", "KARAT__MODELS__0__PARAMS": "{l1_ratio: 0.3}"}
    found = sources(study, "--set", "seeds=4", "--set", "market.fixed_usd=2", env=env)
    assert found["seeds"] == (4, "--set seeds")
    assert found["splits.valid_bars"] == (99, "KARAT__SPLITS__VALID_BARS")
    assert found["models.0.params.l1_ratio"] == (0.3, "KARAT__MODELS__0__PARAMS")
    assert found["market.fixed_usd"] == (2.0, "--set market.fixed_usd")
    assert found["splits.test_frac"] == (0.45, "file")
    assert found["seed"] == (42, "default")
    said = karat("config", "check", study, env=env)
    assert "from the environment: KARAT__SEEDS=3\n" in said.err


def test_the_last_of_two_equal_options_wins(tmp_path: Path) -> None:
    assert sources(write_study(tmp_path), "--set", "seeds=4", "--set", "seeds=6")["seeds"] == (6, "--set seeds")


def test_lists_and_dates_may_be_set(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    found = sources(study, "--set", "features=[ret_1]", "--set", "data.start=2006-01-03", "--set", "features.0=ret_5")
    assert found["features"] == (["ret_5"], "--set features.0")
    assert found["data.start"] == ("2006-01-03", "--set data.start")


def test_show_is_a_table_in_the_words_of_yaml(tmp_path: Path) -> None:
    study = write_study(tmp_path, golden=False)
    lines = [line.split(None, 1) for line in karat("config", "show", study).out.splitlines()]
    found = {line[0]: line[1] for line in lines}
    assert found["setting"].split() == ["value", "from"]
    assert found["golden"].split() == ["false", "file"]
    assert found["data.start"].split() == ["null", "default"]
    assert found["features"].rsplit(None, 1) == ["[ret_1, ret_5, signal]", "file"]


def test_check_says_ok(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    assert karat("config", "check", study).out == f"{study}: ok\n"
    assert karat("config", "check", study, "--json").facts == {"ok": True, "name": "small"}


MEASURES = ("calibration", "calibration_whole")  # files of `karat calibrate`, which are no studies
STUDIES = [path for path in sorted((ROOT / "studies").glob("*.yaml")) if path.stem not in MEASURES]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_is_ok(path: Path) -> None:
    assert karat("config", "check", path).code == 0


def test_schema_is_the_published_one() -> None:
    published = json.loads((ROOT / "docs" / "reference" / "study.schema.json").read_text(encoding="utf-8"))
    assert karat("config", "schema").facts == karat("config", "schema", "--json").facts == study_schema() == published
