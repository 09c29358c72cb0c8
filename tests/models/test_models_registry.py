"""The table of models, and plug-ins: off until named, checked when they are."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from karat.core import InputError
from karat.models import BASELINES, MODELS, available_models, create, load_model
from karat.models.contract import planted_views

PLUGIN = """
from karat.models import MODELS, Forecaster, State

class Naive(MODELS["ewma"]):
    name = "naive"

class Misnamed(MODELS["ewma"]):
    name = "other"

class Ewma(MODELS["ewma"]):
    name = "ewma"

not_a_model = 3
"""
POINTS = """[karat.model]
naive = karat_test_plugin:Naive
misnamed = karat_test_plugin:Misnamed
number = karat_test_plugin:not_a_model
{more}
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with entry points, installed into a folder of its own."""
    (tmp_path / "karat_test_plugin.py").write_text(PLUGIN, encoding="utf-8")
    info = tmp_path / "karat_test_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: karat-test-plugin\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(POINTS.format(more=""), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield info
    sys.modules.pop("karat_test_plugin", None)


def test_unknown_models_name_the_nearest() -> None:
    with pytest.raises(InputError, match=r"model: got 'lightgmb'; allowed: climatology, .*; did you mean 'lightgbm'?"):
        create("lightgmb")


def test_a_seed_is_not_a_parameter() -> None:
    with pytest.raises(InputError, match=r"params.seed: got 3; the seed is no parameter of a model; set seed instead"):
        create("ewma", {"seed": 3})


@pytest.mark.req("MOD-30")
def test_the_table_holds_what_a_stack_needs() -> None:
    assert set(MODELS) >= {"lightgbm", "catboost", "xgboost", "arima", "patch_transformer", *BASELINES}
    assert len(BASELINES) == 5


@pytest.mark.req("EXP-08")
def test_a_plug_in_is_off_until_it_is_named(plugin: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an installed package offers it: add 'naive' to plugins"):
        create("naive")
    train, valid, test = planted_views(rows=200, width=3)
    model = create("naive", {"decay": 0.9}, plugins=["naive", "some_source"]).fit(train, valid)
    model.save(tmp_path / "saved")
    assert load_model(tmp_path / "saved", plugins=["naive"]).predict(test).model == "naive"
    with pytest.raises(InputError, match="model: got 'naive'"):
        load_model(tmp_path / "saved")
    assert "naive" not in MODELS
    assert "naive" in available_models(["naive"])


def test_plug_ins_that_break_the_rules_are_refused(plugin: Path) -> None:
    with pytest.raises(InputError, match=r"got .number.; it is 3; allowed: a subclass of karat.models.Forecaster"):
        create("ewma", plugins=["number"])
    with pytest.raises(InputError, match="the class calls itself 'other'; give both the same name"):
        create("ewma", plugins=["misnamed"])
    (plugin / "entry_points.txt").write_text(POINTS.format(more="ewma = karat_test_plugin:Ewma"), encoding="utf-8")
    with pytest.raises(InputError, match="it is the name of a built-in model; rename the plug-in"):
        create("ewma", plugins=["ewma"])


def test_importing_models_stays_light() -> None:
    heavy = "torch lightgbm sklearn statsmodels arch scipy.signal pandas"
    code = (
        "import sys, karat.models as m; [m.create(n) for n in m.MODELS]; "
        f"print([n for n in {heavy.split()} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
