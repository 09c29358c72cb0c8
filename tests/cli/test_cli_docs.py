"""What the documents say of the command is what the command does."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from cli_factory import ROOT, karat, write_study
from typer.main import get_command

from karat.cli._app import app
from karat.cli._reference import reference
from karat.data import SOURCES
from karat.data._bundled import DATASETS
from karat.features import FEATURES, TIERS
from karat.features.regimes import REGIMES
from karat.study import GUARDS, StudyConfig, check_names

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def verbs(command: Any = None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Return every verb of the tree by its words."""
    inner = getattr(command or get_command(app), "commands", None)
    if inner is None:
        return {path: command}
    return {key: item for name, child in inner.items() for key, item in verbs(child, (*path, name)).items()}


VERBS = verbs()


def shown(page: Path) -> list[str]:
    """Return the karat commands of a page: lines of shell blocks and indented lines that begin with the word."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()]
    lines += re.findall(r"^ {4}(?:\$ )?(karat .*)$", text, flags=re.MULTILINE)
    return [line.split("  #")[0].strip() for line in lines if line.startswith("karat ")]


def test_the_reference_is_written_from_the_command() -> None:
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert page == reference(), "write it again: python -m karat.cli._reference > docs/reference/cli.md"


def test_the_reference_names_every_verb_and_option() -> None:
    page = reference()
    for words, verb in VERBS.items():
        assert f"## karat {' '.join(words)}" in page
        for item in verb.params:
            if item.param_type_name == "option" and item.name not in ("json", "debug", "help"):
                assert f"`{item.opts[0]}`" in page


@pytest.mark.parametrize("words", list(VERBS), ids=" ".join)
def test_every_verb_takes_json_and_debug_and_says_what_it_does(words: tuple[str, ...]) -> None:
    verb = VERBS[words]
    names = {name for item in verb.params for name in item.opts}
    assert {"--json", "--debug"} <= names
    assert verb.help
    said = karat(*words, "--help")
    assert said.code == 0
    assert said.err == ""


def named(page: Path) -> list[str]:
    """Return the karat commands within the text of a page; they may leave out what does not matter there."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`(karat [^`]*)`", text)]
    return [span for span in spans if not span.startswith("karat ledger ")]  # the text that the first entry hashes


def verb_of(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the words of a verb and what follows them."""
    name = next((tuple(words[:n]) for n in (1, 2) if tuple(words[:n]) in VERBS), None)
    assert name is not None, f"no verb of karat: {' '.join(words)}"
    return name, words[len(name) :]


def check_whole(line: str) -> None:
    """Parse a command as the program does, capital words and the dots of an omission taken for what they stand for."""
    words = [re.sub(r"^N$", "1", word) for word in shlex.split(line.replace("…", ""))[1:]]
    if words[0].startswith("-"):
        return
    name, rest = verb_of(words)
    with contextlib.suppress(typer.Exit):  # --help
        VERBS[name].make_context(" ".join(name), rest)


def check_part(line: str) -> None:
    """Look up the verb, or the group of verbs, and the options of a command within a sentence."""
    words = shlex.split(line.replace("…", ""))[1:]
    if tuple(words) in {name[:1] for name in VERBS if len(name) > 1}:
        return
    name, rest = verb_of(words)
    known = {text for item in VERBS[name].params for text in (*item.opts, *item.secondary_opts)}
    assert {word for word in rest if word.startswith("-")} <= known, line


def check_inputs(line: str, own: set[str]) -> None:
    """Look up what a command names: files that karat ships or that the reader has, sources, datasets, tiers, guards."""
    words = shlex.split(line.replace("…", ""))[1:]
    read = [word for before, word in zip(["", *words], words) if before not in ("--out", "--plot", "--export")]
    files = {word.rpartition("=")[2] for word in read if re.search(r"\.(ya?ml|csv|parquet|json)$", word)}
    assert {name for name in files if not (ROOT / name).is_file()} <= own, line
    for given in [word.removeprefix("dataset=") for word in words if word.startswith("dataset=")]:
        assert given in DATASETS, line
    tables = {("features", "list"): TIERS, ("features", "show"): FEATURES, ("guard",): ["list", "all", *GUARDS]}
    tables |= {("regimes", "show"): REGIMES} | {
        ("data", verb): SOURCES for verb in ("check", "show", "add", "resample")
    }
    for name, table in tables.items():
        if tuple(words[: len(name)]) == name and words[len(name) :]:
            first = words[len(name)]
            assert first in table or first.isupper() or first.startswith("-"), line


OWN = {
    "first-study": {"my_study.yaml"},
    "read-an-error": {"study.yaml", "prices.csv"},
    "reproduce-a-run": {"head.json"},
    "simulate": {"bars.csv", "orders.csv"},
    "report": {"FOLDER/run.json"},
}
"""Files of a page's commands that the reader has or that another command of the page makes."""


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page) or named(page)], ids=lambda page: page.stem)
def test_every_command_in_a_document_can_be_typed(page: Path) -> None:
    for line in shown(page):
        check_whole(line)
    for line in named(page):
        check_part(line)
    for line in (*shown(page), *named(page)):
        check_inputs(line, OWN.get(page.stem, set()))


@pytest.mark.parametrize(
    ("check", "line", "said"),
    [
        (check_whole, "karat featurs list", "no verb of karat: featurs list"),
        (check_whole, "karat features biuld x.yaml", "no verb of karat: features biuld"),
        (check_whole, "karat features build", "Missing parameter: study"),
        (check_whole, "karat features build x.yaml --outt y", "No such option: --outt"),
        (check_whole, "karat calibrate x.yaml --worlds many", "should be a valid integer"),
        (check_part, "karat features build STUDY --outt", "--outt"),
        (check_inputs, "karat run studies/quickstrat.yaml", "quickstrat"),
        (check_inputs, "karat data check bundled -p dataset=nasdack", "nasdack"),
        (check_inputs, "karat features list a21", "a21"),
        (check_inputs, "karat guard splitts STUDY", "splitts"),
    ],
)
def test_a_planted_command_is_found(check: Callable[..., None], line: str, said: str) -> None:
    with pytest.raises((AssertionError, typer.TyperException)) as caught:
        check(line, set()) if check is check_inputs else check(line)
    assert said in str(caught.value)


STUDIES = [
    (page.stem, block)
    for page in PAGES
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    if page.stem not in ("add-a-forecaster", "simulate")  # a plug-in that is not installed; terms of a market
]


@pytest.mark.parametrize(("page", "block"), STUDIES, ids=[f"{name}-{k}" for k, (name, _) in enumerate(STUDIES)])
def test_the_settings_that_a_page_shows_are_a_study(page: str, block: str) -> None:
    study = yaml.safe_load((ROOT / "studies" / "quickstart.yaml").read_text(encoding="utf-8"))
    check_names(StudyConfig.parse({**study, **yaml.safe_load(block)}, source=page))


def test_the_files_that_the_tutorial_names_are_there() -> None:
    text = (DOCS / "tutorial" / "first-study.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"studies/\w+\.yaml", text)):
        assert (ROOT / name).is_file(), name


def test_the_readmes_study_is_the_shipped_one() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    shipped = yaml.safe_load((ROOT / "studies" / "quickstart.yaml").read_text(encoding="utf-8"))
    written = yaml.safe_load(block)
    assert {key: shipped[key] for key in written} == written


def test_the_error_of_the_how_to_is_what_is_said(tmp_path: Path) -> None:
    text = (DOCS / "how-to" / "read-an-error.md").read_text(encoding="utf-8")
    wanted = [line.strip() for line in text.splitlines() if line.startswith("      - ")]
    study = write_study(tmp_path)
    values = yaml.safe_load(study.read_text(encoding="utf-8"))
    study.write_text(yaml.safe_dump({**values, "horizons": ["4d"], "seeds": "many"}), encoding="utf-8")
    said = karat("config", "check", study)
    lines = [re.sub(r"line \d+", "line N", line.strip()) for line in said.err.splitlines()]
    assert [re.sub(r"line \d+", "line N", line) for line in wanted] == lines[1:3]


def test_the_broken_rule_of_the_how_to_is_what_is_said(tmp_path: Path) -> None:
    text = (DOCS / "how-to" / "read-an-error.md").read_text(encoding="utf-8")
    (wanted,) = re.findall(r"^ {4}(error: prices\.csv.*?)\n\n", text, flags=re.DOTALL | re.MULTILINE)
    rows = ["date,open,high,low,close", "2015-01-07,5,5,5,5", "2015-01-08,5,5,5,", "2015-01-09,5,6,7,5"]
    (tmp_path / "prices.csv").write_text("\n".join(rows), encoding="utf-8")
    check = ["data", "check", "csv", "-p", "path=prices.csv", "-p", "instrument=ABC.XNYS", "-p", "licence=own"]
    assert karat(*check).err.splitlines()[0] == " ".join(wanted.split())
    said = karat(*check, "-p", "missing=keep", "--lenient")
    assert "no price is missing" in said.out
    assert "low <= open, close <= high" in said.out


def test_the_orders_of_the_how_to_are_simulated(tmp_path: Path) -> None:
    text = (DOCS / "how-to" / "simulate.md").read_text(encoding="utf-8")
    for name, kind in (("orders.csv", "csv"), ("terms.yaml", "yaml")):
        (block,) = re.findall(rf"```{kind}\n(.*?)```", text, flags=re.DOTALL)
        (tmp_path / name).write_text(block, encoding="utf-8")
    hours = [f"2024-01-02T{hour}:00:00Z,ABC.XNYS,100,101,99.6,100,10000" for hour in (15, 16, 17, 18)]
    header = "ts,instrument,open,high,low,close,volume"
    (tmp_path / "bars.csv").write_text("\n".join([header, *hours]), encoding="utf-8")
    (line,) = shown(DOCS / "how-to" / "simulate.md")
    said = karat(*shlex.split(line)[1:], "--terms", "terms.yaml")
    assert said.code == 0, said.err
    assert (tmp_path / "run.svg").is_file()
    assert (tmp_path / "trace" / "run.json").is_file()
    assert "fills      1," in said.out
