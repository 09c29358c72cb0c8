"""What the documents say of the command is what the command does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_factory import ROOT, karat, write_study
from typer.main import get_command

from karat.cli._app import app
from karat.cli._reference import reference
from karat.study import StudyConfig, check_names

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def verbs(command: Any = None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Return every verb of the tree by its words."""
    inner = getattr(command or get_command(app), "commands", None)
    if inner is None:
        return {path: command}
    return {key: item for name, child in inner.items() for key, item in verbs(child, (*path, name)).items()}


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
    for words, verb in verbs().items():
        assert f"## karat {' '.join(words)}" in page
        for item in verb.params:
            if item.param_type_name == "option" and item.name not in ("json", "debug", "help"):
                assert f"`{item.opts[0]}`" in page


@pytest.mark.parametrize("words", list(verbs()), ids=" ".join)
def test_every_verb_takes_json_and_debug_and_says_what_it_does(words: tuple[str, ...]) -> None:
    verb = verbs()[words]
    names = {name for item in verb.params for name in item.opts}
    assert {"--json", "--debug"} <= names
    assert verb.help
    said = karat(*words, "--help")
    assert said.code == 0
    assert said.err == ""


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: page.stem)
def test_every_command_in_a_document_exists(page: Path) -> None:
    tree = verbs()
    for line in shown(page):
        words = shlex.split(line.replace("…", ""))[1:]
        if words[0].startswith("-"):
            continue
        verb = tree.get(tuple(words[:1])) or tree.get(tuple(words[:2]))
        assert verb is not None, line
        known = {name for item in verb.params for name in (*item.opts, *item.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= known | {"--help"}, line


def test_the_files_that_the_tutorial_names_are_there() -> None:
    text = (DOCS / "tutorial" / "first-study.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"studies/\w+\.yaml", text)):
        assert (ROOT / name).is_file(), name


def test_the_tutorials_change_is_a_study() -> None:
    text = (DOCS / "tutorial" / "first-study.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    study = yaml.safe_load((ROOT / "studies" / "quickstart.yaml").read_text(encoding="utf-8"))
    check_names(StudyConfig.parse({**study, **yaml.safe_load(block)}, source="tutorial"))


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
