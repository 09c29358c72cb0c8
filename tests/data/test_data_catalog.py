"""The catalog: registered once, handed out only as registered, never altered."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from karat.core import DataError, InputError, MissingExtraError
from karat.data import Catalog, Panel, Provenance, load, scaffold


@pytest.fixture
def panel() -> Panel:
    return load("synthetic", n_days=40, n_instruments=2)


@pytest.fixture
def catalog(tmp_path: Path, panel: Panel) -> Catalog:
    made = Catalog(tmp_path / "data")
    made.add(panel, "planted")
    return made


def bytes_of(root: Path) -> dict[str, bytes]:
    return {str(item.relative_to(root)): item.read_bytes() for item in sorted(root.rglob("*")) if item.is_file()}


@pytest.mark.req("DATA-06")
def test_the_standard_folders_are_made_and_kept(tmp_path):
    root = scaffold(tmp_path / "data")
    assert sorted(item.name for item in root.iterdir()) == ["manifest.json", "processed", "raw", "samples"]
    (root / "raw" / "mine.csv").write_text("kept")
    before = bytes_of(root)
    scaffold(root)
    assert bytes_of(root) == before


@pytest.mark.req("DATA-05", "DATA-34")
def test_an_entry_has_hashes_rows_provenance_and_licence(catalog, panel):
    entry = catalog.find("planted")
    data = (catalog.root / entry.file).read_bytes()
    assert entry.sha256 == hashlib.sha256(data).hexdigest()
    assert entry.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert (entry.rows, entry.size_bytes, entry.version, entry.kind) == (80, len(data), 1, "processed")
    assert (entry.content, entry.calendar, entry.licence) == (panel.content_hash, "XNYS", "CC0-1.0")
    assert entry.first == "2005-01-03T21:00:00Z"
    written = json.loads((catalog.root / "manifest.json").read_text())
    assert written["datasets"][0]["licence"] == "CC0-1.0"
    assert catalog.verify() == []


def test_what_comes_out_is_what_went_in(catalog, panel):
    for key in ("planted", "planted@1", panel.content_hash, panel.content_hash[:12]):
        got = catalog.get(key)
        assert got.content_hash == panel.content_hash
        assert (got.calendar, got.provenance, got.notes) == (panel.calendar, panel.provenance, panel.notes)


@pytest.mark.req("DATA-34")
def test_a_dataset_without_a_licence_cannot_exist():
    with pytest.raises(InputError, match=r"provenance.licence: got ''; every dataset states it"):
        Provenance("csv", "a file", "")


def test_the_same_content_is_one_entry_and_other_content_a_new_version(catalog, panel):
    before = bytes_of(catalog.root)
    assert catalog.add(panel, "planted").version == 1
    assert bytes_of(catalog.root) == before
    other = load("synthetic", n_days=41, n_instruments=2)
    assert catalog.add(other, "planted").version == 2
    assert catalog.get("planted").content_hash == other.content_hash
    assert catalog.get("planted@1").content_hash == panel.content_hash
    # the same content under a second name shares the file
    assert catalog.add(panel, "copy").file == catalog.find("planted@1").file
    after = bytes_of(catalog.root)
    assert all(after[name] == data for name, data in before.items() if name != "manifest.json")


@pytest.mark.req("DATA-05")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_is_reported_with_file_and_hash(tmp_path, panel, place, bit):
    root = tmp_path / "flip"
    shutil.rmtree(root, ignore_errors=True)
    catalog = Catalog(root)
    entry = catalog.add(panel, "planted")
    path = catalog.root / entry.file
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(bytes(data))
    stored = bytes_of(root)
    problems = catalog.verify()
    assert [(item.file, item.rule, item.expected) for item in problems] == [
        (entry.file, "SHA-256", entry.sha256),
        (entry.file, "MD5", entry.md5),
    ]
    assert problems[0].seen == hashlib.sha256(bytes(data)).hexdigest()
    assert str(problems[0]).startswith(f"{entry.file}: SHA-256: expected {entry.sha256}, seen ")
    with pytest.raises(
        DataError, match=r"got '[0-9a-f]{64}'; rule 'stored as registered' is broken.*restore the file from a copy"
    ):
        catalog.get("planted")
    assert bytes_of(root) == stored  # looking alters nothing


def test_a_missing_file_is_reported(catalog):
    (catalog.root / catalog.find("planted").file).unlink()
    assert [item.rule for item in catalog.verify()] == ["file exists"]
    with pytest.raises(DataError, match="stored as registered"):
        catalog.get("planted")


def test_content_that_matches_its_bytes_but_not_its_entry_is_reported(catalog, panel, monkeypatch):
    # a manifest written by somebody who can compute seals, or a library that reads a file differently
    changed = panel.frame.with_columns(close=pl.col("close") * 2)
    monkeypatch.setattr("karat.data._catalog.pl.read_parquet", lambda *a, **k: changed)
    assert [item.rule for item in catalog.verify()] == ["content hash"]
    with pytest.raises(DataError, match="content hash"):
        catalog.get("planted")


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (lambda text: text.replace("CC0-1.0", "MIT"), "seal of entry 0"),
        (lambda text: text.replace('"rows": 80', '"rows": 81'), "seal of entry 0"),
        (lambda text: text.replace('"licence"', '"license"'), "seal of entry 0"),
        (lambda text: text[:-20], "readable"),
        (lambda text: '{"datasets": [7]}', "seal of entry 0"),
        (lambda text: "[]", "readable"),
    ],
)
def test_an_edited_manifest_is_reported(catalog, panel, edit, rule):
    path = catalog.root / "manifest.json"
    path.write_text(edit(path.read_text()))
    problems = catalog.verify()
    assert problems[0].file == "manifest.json"
    assert problems[0].rule == rule
    with pytest.raises(
        DataError,
        match=r"manifest.json: got (?!None).*; rule 'entries are as written'.*restore the manifest from a copy",
    ):
        catalog.get("planted")
    # nothing is written over it either
    with pytest.raises(DataError, match="entries are as written"):
        catalog.add(panel, "other")


@pytest.mark.req("DATA-05", "DATA-11")
def test_raw_files_are_kept_as_received_and_rebuild_the_same(catalog, tmp_path):
    text = "Date,Close\n2024-07-02,1\n2024-07-03,2\n"
    (tmp_path / "spy.csv").write_text(text)
    provenance = Provenance("csv", "a vendor", "own data")
    entry = catalog.add_file(tmp_path / "spy.csv", "spy_raw", provenance)
    assert catalog.add_file(tmp_path / "spy.csv", "spy_raw", provenance) == entry
    assert (catalog.root / entry.file).read_text() == text
    assert (entry.kind, entry.content, entry.rows) == ("raw", "", 0)

    def build() -> Panel:
        return load("csv", path=catalog.root / entry.file, licence=entry.licence, instrument="SPY.XNYS")

    first = catalog.add(build(), "spy")
    shutil.rmtree(catalog.root / "processed")
    scaffold(catalog.root)
    again = build()
    assert again.content_hash == first.content
    assert [item.rule for item in catalog.verify()] == ["file exists", "file exists"]
    with pytest.raises(InputError, match=r"it is a raw file, not a panel; load\('csv', path='raw/"):
        catalog.get("spy_raw")
    with pytest.raises(InputError, match="there is no such file"):
        catalog.add_file(tmp_path / "none.csv", "x", provenance)


def test_mistakes_are_named(catalog, panel):
    with pytest.raises(InputError, match=r"dataset: got 'plantd'; it is not in the catalog.*did you mean 'planted'"):
        catalog.get("plantd")
    with pytest.raises(InputError, match=r"name: got 'Planted!'; allowed: a to z"):
        catalog.add(panel, "Planted!")
    with pytest.raises(InputError, match=r"kind: got 'cooked'; allowed: raw, processed, samples"):
        catalog.add(panel, "x", kind="cooked")


def test_an_empty_panel_is_stored_too(catalog, panel):
    entry = catalog.add(panel.as_of(0), "nothing", kind="samples")
    assert (entry.rows, entry.first, entry.last) == (0, "", "")
    assert catalog.verify() == []


class TestSql:
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("duckdb")
        pytest.importorskip("pyarrow")

    def test_panels_are_tables(self, catalog, panel):
        got = catalog.sql("select instrument, count(*) as n, max(high) as top from planted group by 1 order by 1")
        assert got["n"].to_list() == [40, 40]
        assert got["top"].max() == panel.frame["high"].max()

    @pytest.mark.parametrize(
        "query",
        [
            "drop view planted",
            "copy planted to 'out.parquet'",
            "select 1; select 2",
            "create table t as select * from planted",
            "",
        ],
    )
    def test_only_one_select_runs(self, catalog, query):
        before = bytes_of(catalog.root)
        with pytest.raises(InputError, match=r"it is not a single SELECT; allowed: one SELECT over: planted"):
            catalog.sql(query)
        assert bytes_of(catalog.root) == before

    def test_nothing_else_of_the_disk_is_read(self, catalog, tmp_path):
        (tmp_path / "secret.csv").write_text("a\n1\n")
        with pytest.raises(InputError, match=r"sql: got .*secret.csv"):
            catalog.sql(f"select * from read_csv('{tmp_path / 'secret.csv'}')")

    def test_a_wrong_query_says_what_is_wrong(self, catalog):
        with pytest.raises(InputError, match="planned"):
            catalog.sql("select * from planned")
        with pytest.raises(InputError, match="sql: got 'selec 1'"):
            catalog.sql("selec 1")


def test_sql_names_the_extra_it_needs(catalog, monkeypatch):
    def absent(module, extra):
        raise MissingExtraError(module, extra)

    monkeypatch.setattr("karat.data._lake.require", absent)
    with pytest.raises(MissingExtraError, match=r"duckdb: not installed; it comes with the extra 'lake'"):
        catalog.sql("select 1")
