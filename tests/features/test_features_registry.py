"""The registry, its tiers, selection and the data dictionary."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, bars, panel

import karat.features as door
from karat.core import InputError
from karat.data import Panel
from karat.features import FEATURES, TIERS, FeatureSpec, build, dictionary_pages, required_columns, resolve
from karat.features._registry import keyed

ROOT = Path(__file__).parents[2]
VIX8 = ("close", "sma_10", "sma_20", "percentile_60d", "zscore_20d", "regime", "change_1d", "change_5d")
CLOSES_ONLY = (
    *("ret_1", "ret_5", "ret_20", "sma_ratio_10", "sma_ratio_50", "ema_ratio_12_26", "macd_hist", "rsi_14"),
    *("bollinger_b", "bollinger_width", "realised_vol_20"),
)


def spec(name: str = "mine", **changes: object) -> FeatureSpec:
    values: dict[str, object] = {
        "name": name,
        "inputs": ("close",),
        "lookback": 0,
        "category": "custom",
        "unit": "price",
        "formula": "close[t]",
        "source": "test",
        "compute": lambda columns: columns["close"],
    }
    return FeatureSpec(**(values | changes))  # type: ignore[arg-type]


def test_public_names_are_sorted_and_complete() -> None:
    assert all(hasattr(door, name) for name in door.__all__)
    with pytest.raises(AttributeError, match=r"'karat.features' has no attribute 'nothing'; it offers .*TIERS"):
        door.nothing  # noqa: B018
    assert len(set(door.__all__)) == len(door.__all__)


@pytest.mark.req("FEAT-01")
def test_a20_has_exactly_twenty_indicators() -> None:
    assert len(TIERS["a20"]) == len(set(TIERS["a20"])) == 20
    assert {FEATURES[name].category for name in TIERS["a20"]} == {"price", "trend", "momentum", "volatility", "volume"}


@pytest.mark.req("FEAT-02")
def test_vix8_has_the_eight_names() -> None:
    assert TIERS["vix8"] == tuple(f"vix_{name}" for name in VIX8)


@pytest.mark.req("FEAT-04")
def test_base25_is_twenty_indicators_and_the_bar() -> None:
    assert TIERS["base25"] == (*TIERS["a20"], "open", "high", "low", "close", "volume")
    made = build(panel(), ["base25"])
    assert len(made.names) == 25
    for column in ("open", "high", "low", "close", "volume"):
        assert made.frame[column].equals(panel().frame[column])


@pytest.mark.req("FEAT-05")
def test_every_entry_states_its_metadata() -> None:
    for name, entry in FEATURES.items():
        told = entry.describe()
        assert told["name"] == name
        assert all(told[key] for key in ("inputs", "category", "unit", "formula", "nan_rule", "source"))
        assert entry.warm_up == entry.lookback + entry.lag


@pytest.mark.req("FEAT-05")
def test_toggling_a_feature_off_removes_its_column_and_its_inputs() -> None:
    on = build(panel(), ["ret_1", "gap", "rsi_14"])
    off = build(panel(), ["ret_1", "gap", "rsi_14", "-gap"])
    assert on.frame.drop("gap").equals(off.frame)
    assert required_columns(["ret_1", "gap"]) == ("close", "open")
    assert required_columns(["ret_1", "gap", "-gap"]) == ("close",)


@pytest.mark.req("FEAT-05")
def test_closure_of_dependencies_is_enough_to_build() -> None:
    for tier, names in TIERS.items():
        made = build(panel(columns=required_columns([tier])), tier)
        assert made.names == names
        assert not made.absent


def test_a_selection_keeps_its_order_and_each_feature_once() -> None:
    specs, _ = resolve(["signal", "a20", "ret_1", "signal", "-vix8"], panel())
    assert [item.name for item in specs] == ["signal", *TIERS["a20"]]


def test_closes_only_leaves_out_what_needs_more_and_says_why() -> None:
    specs, absent = resolve("a20", panel(columns=("close",)))
    assert tuple(item.name for item in specs) == CLOSES_ONLY
    assert set(absent) == set(TIERS["a20"]) - set(CLOSES_ONLY)
    held = "csv, parquet, sqlite, synthetic, or bundled with dataset nasdaq or sp500"
    assert absent["mfi_14"] == f"needs high, low, volume; the panel has close; high, low, volume: {held}"


@pytest.mark.parametrize("hole", [float("nan"), None, 0.0])
def test_an_empty_volume_makes_volume_features_absent(hole: float | None) -> None:
    frame = panel(instruments=("A.XNYS", "B.XNYS")).frame
    empty = pl.when(pl.col("instrument") == "B.XNYS").then(pl.lit(hole, dtype=pl.Float64)).otherwise("volume")
    specs, absent = resolve("a20", Panel(frame.with_columns(empty.alias("volume")), "XNYS", PROVENANCE))
    assert set(absent) == {"volume_z_20", "mfi_14", "obv_slope_20"}
    assert absent["mfi_14"] == "needs volume, which is empty for B.XNYS"
    assert len(specs) == 17


def test_a_close_of_zero_is_not_an_empty_column() -> None:
    specs, absent = resolve("signal", Panel(bars(5).with_columns(signal=pl.lit(0.0)), "XNYS", PROVENANCE))
    assert [item.name for item in specs] == ["signal"]
    assert not absent


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InputError, match=r"features: got 'rsi_15'; allowed: .*; did you mean 'rsi_14'"):
        resolve(["rsi_15"], panel())
    with pytest.raises(InputError, match="features: got 'gapp'; allowed"):
        resolve(["a20", "-gapp"], panel())


@pytest.mark.parametrize("selection", [[], ["gap", "-gap"]])
def test_an_empty_selection_is_refused(selection: list[str]) -> None:
    with pytest.raises(InputError, match="no feature is selected"):
        resolve(selection, panel())


def test_a_panel_that_serves_nothing_is_refused() -> None:
    why = (
        "the panel can serve none of them, for example vix_close: needs vix; "
        r"the panel has close; vix: in a study joins: .*name: vix\}\]; in Python asof_join; join a source"
    )
    with pytest.raises(InputError, match=why):
        build(panel(columns=("close",)), "vix8")
    misspelt = panel(columns=("close",))
    misspelt = Panel(misspelt.frame.rename({"close": "clsoe"}), misspelt.calendar, misspelt.provenance)
    with pytest.raises(InputError, match=r"did you mean the column 'clsoe'\? rename it with columns: \{clsoe: close\}"):
        build(misspelt, "ret_1")


def test_a_spec_of_ones_own_needs_no_registration() -> None:
    made = build(panel(), ["ret_1", spec("mine")])
    assert made.names == ("ret_1", "mine")
    assert made.frame["mine"].equals(panel().frame["close"].alias("mine"))
    assert "mine" not in FEATURES


def test_a_taken_name_is_refused() -> None:
    message = r"feature.name: got 'ret_1'; the name is taken; choose another name"
    with pytest.raises(InputError, match=message):
        build(panel(), [spec("ret_1")])
    with pytest.raises(InputError, match=r"feature.name: got 'mine'; the name is taken"):
        build(panel(), [spec("mine"), spec("mine")])
    with pytest.raises(InputError, match=message):
        keyed("feature", FEATURES["ret_1"], spec("ret_1"))
    assert build(panel(), [FEATURES["gap"], "gap"]).names == ("gap",)
    for name in ("ts", "known_at", "instrument"):
        with pytest.raises(InputError, match=f"feature.name: got '{name}'; a frame of features has such a column"):
            build(panel(), [spec(name)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "my feature"}, "feature.name: got 'my feature'; allowed: a Python identifier, such as ret_1"),
        ({"inputs": ()}, r"feature.mine.inputs: got \(\); allowed: panel columns, such as \('close',\)"),
        ({"inputs": "close"}, r"feature.mine.inputs: got 'close'; allowed: panel columns, such as \('close',\)"),
        ({"inputs": {"close"}}, r"feature.mine.inputs: got \{'close'\}; allowed: panel columns, such as"),
        ({"unit": 1}, "feature.mine.unit: got 1; the data dictionary describes every column"),
        ({"lookback": True}, "feature.mine.lookback: got True; .*allowed: rows, 0 or more"),
        ({"category": "foo"}, r"feature.mine.category: got 'foo'; allowed: price, trend, .*custom"),
        ({"lag": -1}, "feature.mine.lag: got -1; a negative one reads ahead; allowed: rows, 0 or more"),
        ({"lookback": -1}, "feature.mine.lookback: got -1; a negative one reads ahead"),
        ({"lookback": 1.5}, "feature.mine.lookback: got 1.5; .*allowed: rows, 0 or more"),
        ({"compute": None}, "feature.mine.compute: got 'NoneType'; allowed: an expression, or a function of the col"),
        (
            {"compute": FEATURES["gap"].compute},
            r"feature.mine.inputs: got \['close'\]; the expression reads open; allowed: ",
        ),
        ({"formula": " "}, r"feature.mine.formula: got 'nothing'; the data dictionary describes every column"),
        ({"unit": ""}, "feature.mine.unit: got 'nothing'"),
        ({"source": ""}, "feature.mine.source: got 'nothing'"),
    ],
)
@pytest.mark.req("DATA-13")
def test_a_wrong_spec_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        spec(**changes)  # type: ignore[arg-type]


def test_an_expression_knows_its_own_warm_up() -> None:
    made = replace(FEATURES["gap"], name="mine", inputs=("close",), compute=FEATURES["rsi_14"].compute)
    assert (made.lookback, made.recursive) == (14, True)
    assert spec("mine").lookback == 0


def features_doc() -> ModuleType:
    spec = importlib.util.spec_from_file_location("features_doc", ROOT / "tools" / "features_doc.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.req("DATA-13")
def test_the_data_dictionary_is_up_to_date() -> None:
    assert features_doc().stale() == []


def test_a_page_that_is_missing_changed_or_left_over_is_stale(tmp_path: Path) -> None:
    tool = features_doc()
    tool.write(tmp_path)
    assert tool.stale(tmp_path) == []
    (tmp_path / "features-price.md").write_text("changed")
    (tmp_path / "features-vix.md").unlink()
    (tmp_path / "features-gone.md").write_text("of a family that is no more")
    assert tool.stale(tmp_path) == ["features-gone.md", "features-price.md", "features-vix.md"]
    tool.write(tmp_path)
    assert tool.stale(tmp_path) == []


@pytest.mark.req("DATA-13")
def test_the_data_dictionary_names_every_feature_and_tier() -> None:
    pages = dictionary_pages()
    for spec in FEATURES.values():
        assert f"| `{spec.name}` |" in pages[f"features-{spec.category}.md"]
    assert all(f"| `{name}` |" in pages["features.md"] for name in TIERS)
    assert len(CLOSES_ONLY) == 11
    assert "eleven of the twenty" in pages["features.md"]


@pytest.mark.req("DATA-13")
def test_every_page_of_the_data_dictionary_is_linked_and_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for name, text in dictionary_pages().items():
        assert f"reference/{name}\n" in navigation
        assert name == "features.md" or f"]({name})" in dictionary_pages()["features.md"]
        assert len(text.splitlines()) < 200
        columns = "| name | tier | inputs | warm-up | unit | formula | source | NaN |"
        assert name == "features.md" or columns in text


@pytest.mark.req("FEAT-01")
def test_the_twenty_are_distinct() -> None:
    values = build(panel(1500), "a20").frame.select(TIERS["a20"]).to_numpy()[60:]
    ranks = values.argsort(axis=0).argsort(axis=0)
    spearman = np.abs(np.corrcoef(ranks, rowvar=False) - np.eye(20))
    assert spearman.max() < 0.995
