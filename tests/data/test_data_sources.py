"""The table of sources, plug-ins, and the contract suite run on every built-in source."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest

from karat.core import ConfigError, InputError
from karat.data import SOURCES, Source, available_sources, load, open_source
from karat.data.contract import SourceContract


def small() -> pl.DataFrame:
    return load("synthetic", n_days=60, n_instruments=2).frame


class TestBundled(SourceContract):
    def make(self, **changed):
        return open_source("bundled", {"dataset": "vix", **changed})


class TestSynthetic(SourceContract):
    ranged = False

    def make(self, **changed):
        return open_source("synthetic", {"n_days": 80, **changed})


class TestFrame(SourceContract):
    def make(self, **changed):
        return open_source("frame", {"frame": small(), "licence": "CC0-1.0", **changed})


class TestPandas(SourceContract):
    def make(self, **changed):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({name: small()[name].to_list() for name in small().columns})
        return open_source("frame", {"frame": frame, "licence": "CC0-1.0", **changed})


class TestCsv(SourceContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def make(self, **changed):
        small().write_csv(self.folder / "small.csv")
        return open_source("csv", {"path": self.folder / "small.csv", "licence": "CC0-1.0", **changed})


class TestParquet(SourceContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def make(self, **changed):
        small().write_parquet(self.folder / "small.parquet")
        return open_source("parquet", {"path": self.folder / "small.parquet", "licence": "CC0-1.0", **changed})


class TestUnsound(SourceContract):
    sound = False

    def make(self, **changed):
        broken = small().with_columns(high=pl.col("low") * 0.9)
        return open_source("frame", {"frame": broken, "licence": "CC0-1.0", **changed})


def test_the_contract_finds_a_source_that_ignores_its_range():
    class Deaf(SourceContract):
        def make(self, **changed):
            return open_source("synthetic", {"n_days": 80})

    with pytest.raises(AssertionError):
        Deaf().test_5_a_range_only_drops_rows()
    with pytest.raises(AssertionError, match="a range without data was accepted"):
        Deaf().test_5_an_empty_range_is_refused()
    with pytest.raises(AssertionError, match="implements make"):
        SourceContract().test_1_load_returns_a_panel()


def test_the_contract_finds_a_source_that_is_not_repeatable():
    class Fickle(SourceContract):
        count = 0

        def make(self, **changed):
            self.count += 1
            return open_source("synthetic", {"n_days": 80, "seed": self.count})

    with pytest.raises(AssertionError):
        Fickle().test_2_loading_is_repeatable()


def test_frames_files_and_memory_agree(tmp_path):
    frame = small()
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    hashes = {
        load("synthetic", n_days=60, n_instruments=2).content_hash,
        load("csv", path=tmp_path / "a.csv", licence="CC0-1.0").content_hash,
        load("parquet", path=tmp_path / "a.parquet", licence="CC0-1.0").content_hash,
        load("frame", frame=frame.lazy(), licence="CC0-1.0").content_hash,
        load("frame", frame=frame.to_dict(as_series=False), licence="CC0-1.0").content_hash,
    }
    assert len(hashes) == 1


def test_the_table_is_whole():
    assert list(SOURCES) == ["bundled", "csv", "frame", "parquet", "sqlite", "synthetic"]
    for name, kind in SOURCES.items():
        assert kind.name == name
        assert kind.parameters()


def test_unknown_names_are_named():
    with pytest.raises(InputError, match=r"source: got 'cvs'.*did you mean 'csv'\?"):
        load("cvs")
    with pytest.raises(InputError, match=r"csv parameter: got 'licens'.*did you mean 'licence'\?"):
        load("csv", path="a.csv", licens="MIT")
    with pytest.raises(ConfigError, match=r"missing: got 'dorp'.*did you mean 'drop'"):
        load("csv", path="a.csv", licence="MIT", missing="dorp")


PLUGIN = """
import polars as pl
from karat.data import Panel, Provenance, Source

class Two(Source):
    name = "two"

    def __init__(self, *, level: float = 1.0) -> None:
        self._level = level

    def load(self) -> Panel:
        frame = pl.DataFrame({"ts": [1, 2], "known_at": [1, 2], "instrument": ["A.B"] * 2, "close": [self._level] * 2})
        return Panel(frame, "none", Provenance("two", "by hand", "CC0-1.0"))
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install a package that offers a source, one that is no source, and one that takes a built-in name."""
    (tmp_path / "two_source.py").write_text(textwrap.dedent(PLUGIN))
    info = tmp_path / "two_source-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: two-source\nVersion: 1.0\n")
    points = "[karat.source]\ntwo = two_source:Two\nnot_one = two_source:pl\ncsv = two_source:Two\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("two_source", None)


@pytest.mark.usefixtures("plugin")
def test_a_plugin_is_off_until_it_is_named():
    with pytest.raises(InputError, match="source: got 'two'"):
        load("two")
    panel = load("two", plugins=["two"], level=3.0)
    assert panel.frame["close"].to_list() == [3.0, 3.0]
    assert issubclass(available_sources(["two"])["two"], Source)
    assert "two" not in SOURCES


@pytest.mark.usefixtures("plugin")
def test_a_bad_plugin_is_refused():
    with pytest.raises(InputError, match=r"plugins: got 'csv'; it is the name of a built-in source"):
        available_sources(["csv"])
    with pytest.raises(InputError, match=r"plugins: got 'not_one'; it is <module .*allowed: a subclass of"):
        available_sources(["not_one"])
    with pytest.raises(InputError, match=r"plugins: got 'tow'; no installed package offers it as karat.source.*'two'"):
        available_sources(["tow"])


def test_a_plugin_that_is_not_installed_says_so():
    with pytest.raises(InputError, match=r"plugins: got 'three'; no installed package offers it as karat.source"):
        available_sources(["three"])
