"""Where data enters: instruments, calendars, sources, schemas, quality, catalog, and the shapes that cross a boundary.

`load(source, **params)` returns a `Panel`; `SOURCES` lists what can be loaded. Everything here is causal: a value is
never visible before its `known_at`.
"""

from karat.data._bundled import BundledSource
from karat.data._calendars import sessions
from karat.data._catalog import Catalog, scaffold
from karat.data._files import CsvSource, ParquetSource
from karat.data._fixture import make_fixture
from karat.data._forecast import Forecast
from karat.data._frames import FrameSource, to_polars
from karat.data._grid import CUTS, HORIZONS, INNER, LEVELS, MEDIAN, N_CLASSES, horizon_bars
from karat.data._instruments import ASSET_CLASSES, Instrument
from karat.data._integrity import check_database
from karat.data._joins import asof_join, combine
from karat.data._manifest import CatalogEntry, CatalogProblem
from karat.data._panel import KEYS, OHLCV, Panel, Provenance
from karat.data._quality import RULES, Finding, QualityReport, Rule, check_quality
from karat.data._resample import SCALES, resample
from karat.data._source import Source
from karat.data._sources import SOURCES, available_sources, load, open_source
from karat.data._sqlite_schema import ddl
from karat.data._sqlite_source import SqliteSource
from karat.data._synthetic import SyntheticSource
from karat.data._views import Inputs, Labels, Permit, Table, Test, Train, Valid

__all__ = [
    "ASSET_CLASSES",
    "CUTS",
    "HORIZONS",
    "INNER",
    "KEYS",
    "LEVELS",
    "MEDIAN",
    "N_CLASSES",
    "OHLCV",
    "RULES",
    "SCALES",
    "SOURCES",
    "BundledSource",
    "Catalog",
    "CatalogEntry",
    "CatalogProblem",
    "CsvSource",
    "Finding",
    "Forecast",
    "FrameSource",
    "Inputs",
    "Instrument",
    "Labels",
    "Panel",
    "ParquetSource",
    "Permit",
    "Provenance",
    "QualityReport",
    "Rule",
    "Source",
    "SqliteSource",
    "SyntheticSource",
    "Table",
    "Test",
    "Train",
    "Valid",
    "asof_join",
    "available_sources",
    "check_database",
    "check_quality",
    "combine",
    "ddl",
    "horizon_bars",
    "load",
    "make_fixture",
    "open_source",
    "resample",
    "scaffold",
    "sessions",
    "to_polars",
]
