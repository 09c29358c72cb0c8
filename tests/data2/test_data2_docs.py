"""docs/reference/sqlite_schema.md says what the code does: DDL, columns, rules, examples."""

from __future__ import annotations

import doctest
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from karat.data._schemas import columns, rules
from karat.data._sqlite_schema import TABLES, ddl, foreign_keys, primary_key

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "sqlite_schema.md"
TYPES = {"String": "TEXT", "Int64": "INTEGER", "Float64": "REAL"}


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture
def quiet_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("karat.data")
    handlers, propagate = list(logger.handlers), logger.propagate
    yield logger
    logger.handlers, logger.propagate = handlers, propagate


def section(page: str, table: str) -> str:
    return page.partition(f"### `{table}`\n")[2].partition("\n### ")[0].partition("\n## ")[0]


@pytest.mark.req("DATA-14")
def test_the_ddl_equals_the_document(page: str):
    (block,) = re.findall(r"```sql\n(.*?)\n```", page, flags=re.DOTALL)
    assert block == ddl().rstrip()


@pytest.mark.req("DATA-14")
@pytest.mark.parametrize("table", list(TABLES))
def test_columns_and_rules_equal_the_document(table: str, page: str):
    part = section(page, table)
    rows = re.findall(r"^\| `(\w+)`( \(key\))? \| ([A-Z]+)( or NULL)? \| (.+) \|$", part, flags=re.MULTILINE)
    assert [(name, bool(key), kind, bool(null)) for name, key, kind, null, _ in rows] == [
        (name, name in primary_key(table), TYPES[str(kind)], null) for name, (kind, null) in columns(table).items()
    ]
    assert all(meaning.strip() for *_, meaning in rows)
    documented = re.findall(r"^- `(.+)`: (.+)$", part, flags=re.MULTILINE)
    links = [
        (f"{', '.join(own)} is in {parent}", f"add the parent rows to {parent}, or delete these")
        for parent, own, _ in foreign_keys(table)
    ]
    assert documented == [(rule.name, rule.remedy) for rule in rules(table)] + links


@pytest.mark.req("QUAL-05")
def test_every_label_rule_has_troubleshooting(page: str):
    import inspect

    from karat.data import _sqlite_labels

    source = inspect.getsource(_sqlite_labels)
    names = set(re.findall(r'_at\("\w+", "([^"]+)"', source)) | set(re.findall(r'rule = "([^"]+)"', source))
    names |= {"regime label cardinality"}
    part = page.partition("### Playbook: the labels")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", part, flags=re.MULTILINE)) == names


@pytest.mark.req("QUAL-04", "DATA-14")
def test_the_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet_logger: logging.Logger):
    monkeypatch.chdir(tmp_path)
    examples = "\n".join(re.findall(r"```pycon\n(.*?)\n```", page, flags=re.DOTALL))
    parsed = doctest.DocTestParser().get_doctest(examples, {}, PAGE.name, str(PAGE), 0)
    assert len(parsed.examples) > 20
    lines: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(parsed, out=lines.append)
    assert result.failed == 0, "".join(lines)


@pytest.mark.req("QUAL-04")
def test_the_example_record_is_what_the_logger_writes(page: str, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    import sqlite3

    from karat.data._fixture import make_fixture
    from karat.data._integrity import check_database

    path = tmp_path / "market.db"
    make_fixture(path, seed=42, n_bars=1260, n_instruments=2)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE trades SET instrument = 'GONE.XNYS' WHERE trade_id = 'T00000003'")
    connection.commit()
    connection.close()
    check_database(path, strict=False)
    (block,) = re.findall(r"```json\n(.*?)\n```", page, flags=re.DOTALL)
    assert caplog.messages == [json.dumps(json.loads(block), sort_keys=True)]


def test_the_playbooks_are_there(page: str):
    for title in ("Strict and lenient", "Playbook: strict stopped", "Playbook: lenient warned", "Playbook: the labels"):
        assert f" {title}\n" in page
