"""Wrong words, options, settings and files of every verb: each message names what is wrong and the fix; exit 2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from cli_factory import SMALL, karat

from karat.data import load, sessions
from karat.features import held_by
from karat.study import load_panel, read_study


@pytest.mark.parametrize("column", ["vix", "index", "market_return"])
def test_the_join_that_a_message_offers_can_be_typed(column: str, tmp_path: Path) -> None:
    offered = re.search(r"joins: (\[.*\]);", held_by([column]))
    assert offered is not None
    (join,) = yaml.safe_load(offered[1])
    study = SMALL | {"data": {"source": "bundled", "params": {"dataset": "nasdaq"}}, "features": ["ret_1"]}
    if column == "market_return":
        join["params"]["path"] = str(tmp_path / "market.csv")
        dates = sessions("XNYS", "1999-01-04", "2018-12-31")["date"].to_list()
        rows = [f"{day},{0.01 * (-1) ** k}" for k, day in enumerate(dates)]
        (tmp_path / "market.csv").write_text("\n".join(["date,market_return", *rows]), encoding="utf-8")
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study | {"joins": [join]}), encoding="utf-8")
    panel = load_panel(read_study(path))
    assert column in panel.values
    assert len(panel.frame) > 1200
    study["regimes"] = ["rotation"]
    path.write_text(yaml.safe_dump(study | {"joins": [join]}), encoding="utf-8")
    said = karat("features", "build", path)
    assert said.code == (0 if column == "market_return" else 2), "building refuses what a run would"


def test_a_missing_study_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "quickstart.yaml").write_text("name: a", encoding="utf-8")
    outcome = karat("run", tmp_path / "quikstart.yaml")
    assert outcome.code == 2
    assert "no such file; give the path of a study file" in outcome.err, "quickstart.yaml is no study"
    (tmp_path / "quickstart.yaml").write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    outcome = karat("run", tmp_path / "quikstart.yaml")
    assert f"did you mean {tmp_path / 'quickstart.yaml'}?" in outcome.err
    outcome = karat("run", tmp_path / "no" / "quickstart.yaml")
    assert "no such file; give the path of a study file" in outcome.err


WORDS: list[tuple[str, list[str], list[str]]] = [
    ("no such verdict", ["run", "s.yaml", "--require", "acepted"], ["--require", "did you mean 'accepted'"]),
    ("no such run", ["report", "abc"], ["run", "'abc'", "no such run", "make one with karat run"]),
    ("no workspace", ["report", "-w", "wrkspace"], ["wrkspace", "no such folder", "--workspace"]),
    ("a file for a workspace", ["run", "s.yaml", "-w", "s.yaml"], ["workspace", "s.yaml", "it is a file"]),
    ("no ledger", ["verify", "-w", "empty"], ["workspace", "it holds no ledger", "run a study first"]),
    ("no workspace for a head", ["verify", "-w", "x", "--head", "no.json"], ["'x'", "no such folder"]),
    ("a parameter without value", ["data", "show", "bundled", "-p", "dataset"], ["--param", "dataset", "key=value"]),
    ("no such source", ["data", "check", "bundeld"], ["source", "bundeld", "did you mean 'bundled'"]),
    ("no such bars", ["data", "resample", "synthetic", "--bars", "4d", "--out", "x.parquet"], ["4d", "2d"]),
    ("a name SQL cannot take", ["data", "add", "synthetic", "--name", "My data"], ["name", "My data"]),
    ("no table of that name", ["data", "query", "select * from nowhere"], ["nowhere"]),
    ("no such tier", ["features", "list", "a21"], ["tier", "a21", "did you mean 'a20'"]),
    ("a feature for a tier", ["features", "list", "rsi_14"], ["tier", "rsi_14", "write karat features show rsi_14"]),
    ("a tier for a feature", ["features", "show", "a20"], ["feature", "a20", "write karat features list a20"]),
    ("no such feature", ["features", "show", "rsi_41"], ["feature", "rsi_41", "did you mean 'rsi_14'"]),
    ("a setting without value", ["config", "check", "s.yaml", "--set", "seeds"], ["--set", "seeds", "path=value"]),
    ("a setting below a value", ["config", "check", "s.yaml", "--set", "name.x=1"], ["--set name.x", "'name' is one"]),
    (
        "a setting beyond the list",
        ["run", "s.yaml", "--set", "models.4.name=ewma"],
        ["--set models.4.name", "0, the only one"],
    ),
    ("a setting into no list", ["run", "s.yaml", "--set", "plugins.0=x"], ["--set plugins.0", "the list is empty"]),
    ("a setting that is no YAML", ["run", "s.yaml", "--set", "seeds=[1"], ["--set seeds", "'[1'"]),
    (
        "a setting of a list that is not there",
        ["run", "s.yaml", "--set", "joins.0.bars=week"],
        ["--set joins.0.bars: got '0'", "nothing is set at joins", "give the whole list: joins=[...]"],
    ),
    ("one word for a list", ["run", "s.yaml", "--set", "features=a20"], ["features: got 'a20'", "write [a20]"]),
    (
        "a regime in the place of the study",
        ["regimes", "label", "volatility", "s.yaml"],
        ["study: got 'volatility'", "it is a regime", "karat regimes label s.yaml volatility"],
    ),
    (
        "a study in the place of the guard",
        ["guard", "s.yaml", "splits"],
        ["guard: got 's.yaml'", "it is a file", "karat guard splits s.yaml"],
    ),
    (
        "a file in the place of its source",
        ["data", "check", "s.yaml"],
        ["source: got 's.yaml'", "it is a file", "path=s.yaml"],
    ),
    (
        "a name of another format",
        ["features", "build", "s.yaml", "--out", "made.csv"],
        ["--out: got 'made.csv'", "Parquet is what is written", "write --out made.parquet"],
    ),
    ("a setting with a typo", ["run", "s.yaml", "--set", "seedz=1"], ["seedz", "unknown key", "did you mean 'seed"]),
]


@pytest.mark.parametrize(("words", "said"), [row[1:] for row in WORDS], ids=[row[0] for row in WORDS])
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_wrong_word_is_explained(words: list[str], said: list[str], as_json: bool, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(SMALL | {"plugins": []}), encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "workspace").mkdir()
    outcome = karat(*words, *(["--json"] if as_json else []))
    assert outcome.code == 2, outcome.err
    for word in said:
        assert word in outcome.err, outcome.err
    if as_json:
        assert outcome.facts["exit_code"] == 2
        assert said[0] in outcome.facts["message"]
    else:
        assert outcome.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [(["rnu"], "No such command"), (["run"], "Missing argument"), (["doctor", "--jsno"], "No such option")],
)
def test_a_word_that_is_no_verb_or_option_is_refused(words: list[str], said: str) -> None:
    outcome = karat(*words)
    assert outcome.code == 2
    assert said in outcome.err


@pytest.mark.parametrize("verb", [["run"], ["config", "check"]])
def test_a_setting_that_the_shell_took_apart_needs_quotes(verb: list[str], tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    setting = "joins=[{name: week, bars: week}]"
    said = karat(*verb, "s.yaml", "--set", *setting.split())
    assert said.code == 2
    assert "got 'joins=[{name:', whose brackets are not closed; quote a value with spaces: --set 'joins=" in said.err
    assert "brackets" not in karat(*verb, "s.yaml", "--set", setting, "--set", "seeds=[1", "--json").err


FILES: list[tuple[str, list[str], list[str]]] = [
    (
        "no such file of bars",
        ["features", "build", "bras.parquet", "--out", "new"],
        ["source: got", "no such file", "did you mean 'bars.parquet'"],
    ),
    (
        "a file for the parts",
        ["features", "build", "bars.parquet", "--out", "taken.csv"],
        ["out: got 'taken.csv'", "taken.csv is a file", "a folder"],
    ),
    (
        "a folder for a file",
        ["data", "resample", "synthetic", "--bars", "week", "--out", "folder"],
        ["--out: got 'folder'", "it is a folder", "folder/out.parquet"],
    ),
    (
        "a folder for features",
        ["features", "build", "s.yaml", "--out", "folder"],
        ["--out: got 'folder'", "it is a folder"],
    ),
    (
        "a folder for labels",
        ["regimes", "label", "s.yaml", "volatility", "--out", "folder"],
        ["--out: got 'folder'", "it is a folder"],
    ),
    (
        "a table for a study",
        ["features", "check", "taken.csv"],
        ["study: got 'taken.csv'", "it is a table of data", "data: {source: csv, params: {path: taken.csv, ...}}"],
    ),
    (
        "a file for a folder",
        ["data", "resample", "synthetic", "--bars", "week", "--out", "taken.csv/x"],
        ["--out", "taken.csv is a file"],
    ),
]


@pytest.mark.parametrize(("words", "said"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_wrong_file_is_explained(
    words: list[str], said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    Path("taken.csv").write_text("words", encoding="utf-8")
    Path("folder").mkdir()
    load("synthetic", n_days=60).frame.write_parquet("bars.parquet")
    outcome = karat(*words, *(["--features", "ret_1"] if ".parquet" in words[2] else []))
    assert outcome.code == 2, outcome.err
    for word in said:
        assert word in outcome.err, outcome.err
