"""The study file: what is accepted, what is refused and with which words, and what identity means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from study_factory import small_study

from karat.core import ConfigError, InputError
from karat.study import StudyConfig, read_calibration, read_study, study_schema

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "studies").glob("*.yaml"))
MEASURES = [path for path in SHIPPED if path.stem in ("calibration", "calibration_whole")]  # of `karat calibrate`
STUDIES = [path for path in SHIPPED if path not in MEASURES]


@pytest.mark.req("EXP-01", "TRN-01")
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_are_valid(path: Path) -> None:
    assert read_study(path).name == path.stem


@pytest.mark.parametrize("path", MEASURES, ids=lambda path: path.stem)
def test_shipped_calibrations_are_valid(path: Path) -> None:
    assert read_calibration(path).config.name == path.stem


def test_all_problems_come_at_once() -> None:
    study = small_study(horizonz=["1d"], seeds="many", features="a20")
    with pytest.raises(ConfigError) as caught:
        StudyConfig.parse(study, source="x.yaml")
    text = str(caught.value)
    assert text.startswith("x.yaml: 3 problems")
    for word in ("horizonz", "seeds", "features"):
        assert word in text


def test_identity_leaves_out_what_cannot_change_a_number() -> None:
    first = StudyConfig.parse(small_study(), source="a")
    changed = small_study(name="other", description="words", executor={"kind": "local", "workers": 1})
    assert StudyConfig.parse(changed, source="a").identity() == first.identity()
    assert StudyConfig.parse(small_study(seed=7), source="a").identity() != first.identity()


def test_labels_of_models_take_no_part_in_identity() -> None:
    plain = StudyConfig.parse(small_study(), source="a")
    named = StudyConfig.parse(small_study(models=[{"name": "linear_quantile", "label": "mine"}]), source="a")
    assert plain.identity() == named.identity()
    assert named.models[0].title == "mine"


@pytest.mark.req("EXP-01")
def test_the_published_schema_is_the_code_s_schema() -> None:
    published = json.loads((ROOT / "docs" / "reference" / "study.schema.json").read_text())
    assert published == study_schema()


def test_the_schema_refuses_unknown_keys() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(small_study(), study_schema())
    with pytest.raises(jsonschema.ValidationError, match="horizonz"):
        jsonschema.validate(small_study(horizonz=[]), study_schema())


@pytest.mark.req("EVAL-16")
def test_golden_refuses_fewer_than_five_seeds() -> None:
    with pytest.raises(ConfigError, match="needs at least 5 seeds"):
        StudyConfig.parse(small_study(golden=True, seeds=4), source="a")
    assert StudyConfig.parse(small_study(golden=True, seeds=5), source="a").golden


def test_a_folder_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_study(tmp_path)


def test_planted_and_noise_differ_in_effect_size_only() -> None:
    planted, noise = (read_study(ROOT / "studies" / f"{name}.yaml").identity() for name in ("planted", "noise"))
    assert planted["data"]["params"].pop("edge_sharpe") > 0
    assert noise["data"]["params"].pop("edge_sharpe") == 0
    assert planted == noise
