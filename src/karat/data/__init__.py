"""Where data enters: instruments, calendars, sources, schemas, quality, catalog, and the shapes that cross a boundary.

`load(source, **params)` returns a `Panel`; `SOURCES` lists what can be loaded. Everything here is causal: a value is
never visible before its `known_at`.
A name is loaded when it is first asked for: a table of rules takes no data frame.
"""

import typing

from karat._doors import on_demand as _on_demand

if typing.TYPE_CHECKING:
    from karat.data._bundled import BundledSource
    from karat.data._calendars import sessions
    from karat.data._capture import BookCheck, Capture, check_capture, read_capture
    from karat.data._catalog import Catalog, scaffold
    from karat.data._clocks import ClockOffset, StampGuard, estimate_clock
    from karat.data._depth_sync import DepthSync, depth_sync
    from karat.data._event_builders import (
        events_from_bars,
        events_from_depth,
        events_from_quotes,
        events_from_rows,
        events_from_trades,
        merge_events,
    )
    from karat.data._event_readers import EventChunks, write_events
    from karat.data._events import BASES, KINDS, Events
    from karat.data._files import CsvSource, ParquetSource, check_file, check_folder, check_target
    from karat.data._fixture import make_fixture
    from karat.data._forecast import Forecast
    from karat.data._frames import FrameSource, to_polars
    from karat.data._grid import CUTS, HORIZONS, INNER, LEVELS, MEDIAN, N_CLASSES, horizon_bars
    from karat.data._instruments import ASSET_CLASSES, Instrument
    from karat.data._integrity import check_database
    from karat.data._joins import asof_join, combine
    from karat.data._level3 import Level3Book, level2_from_level3
    from karat.data._manifest import CatalogEntry, CatalogProblem
    from karat.data._orderflow import FlowRates, OrderFlow, order_flow
    from karat.data._panel import KEYS, OHLCV, Panel, Provenance, blocks, check_panel, extent
    from karat.data._quality import RULES, Finding, QualityReport, Rule, check_quality
    from karat.data._resample import SCALES, Bars, is_intraday, resample
    from karat.data._rule_tables import (
        MARKET_RULES,
        PRICE_CATEGORIES,
        VENUE_FILTERS,
        CircuitBreakerRule,
        DailyLimitRule,
        FilterTerms,
        MarketRules,
        PriceBandRule,
        ShortSaleRule,
        TickRule,
        VenueFilters,
    )
    from karat.data._source import Source
    from karat.data._sources import SOURCES, available_sources, load, open_source
    from karat.data._sqlite_schema import ddl
    from karat.data._sqlite_source import SqliteSource
    from karat.data._synthetic import SyntheticSource
    from karat.data._views import Inputs, Labels, Permit, Table, Test, Train, Valid

__all__ = [
    "ASSET_CLASSES",
    "BASES",
    "CUTS",
    "HORIZONS",
    "INNER",
    "KEYS",
    "KINDS",
    "LEVELS",
    "MARKET_RULES",
    "MEDIAN",
    "N_CLASSES",
    "OHLCV",
    "PRICE_CATEGORIES",
    "RULES",
    "SCALES",
    "SOURCES",
    "VENUE_FILTERS",
    "Bars",
    "BookCheck",
    "BundledSource",
    "Capture",
    "Catalog",
    "CatalogEntry",
    "CatalogProblem",
    "CircuitBreakerRule",
    "ClockOffset",
    "CsvSource",
    "DailyLimitRule",
    "DepthSync",
    "EventChunks",
    "Events",
    "FilterTerms",
    "Finding",
    "FlowRates",
    "Forecast",
    "FrameSource",
    "Inputs",
    "Instrument",
    "Labels",
    "Level3Book",
    "MarketRules",
    "OrderFlow",
    "Panel",
    "ParquetSource",
    "Permit",
    "PriceBandRule",
    "Provenance",
    "QualityReport",
    "Rule",
    "ShortSaleRule",
    "Source",
    "SqliteSource",
    "StampGuard",
    "SyntheticSource",
    "Table",
    "Test",
    "TickRule",
    "Train",
    "Valid",
    "VenueFilters",
    "asof_join",
    "available_sources",
    "blocks",
    "check_capture",
    "check_database",
    "check_file",
    "check_folder",
    "check_panel",
    "check_quality",
    "check_target",
    "combine",
    "ddl",
    "depth_sync",
    "estimate_clock",
    "events_from_bars",
    "events_from_depth",
    "events_from_quotes",
    "events_from_rows",
    "events_from_trades",
    "extent",
    "horizon_bars",
    "is_intraday",
    "level2_from_level3",
    "load",
    "make_fixture",
    "merge_events",
    "open_source",
    "order_flow",
    "read_capture",
    "resample",
    "scaffold",
    "sessions",
    "to_polars",
    "write_events",
]

__getattr__ = _on_demand(
    __name__,
    {
        "_bundled": ("BundledSource",),
        "_calendars": ("sessions",),
        "_capture": ("BookCheck", "Capture", "check_capture", "read_capture"),
        "_catalog": ("Catalog", "scaffold"),
        "_clocks": ("ClockOffset", "StampGuard", "estimate_clock"),
        "_depth_sync": ("DepthSync", "depth_sync"),
        "_event_builders": (
            "events_from_bars",
            "events_from_depth",
            "events_from_quotes",
            "events_from_rows",
            "events_from_trades",
            "merge_events",
        ),
        "_event_readers": ("EventChunks", "write_events"),
        "_events": ("BASES", "KINDS", "Events"),
        "_files": ("CsvSource", "ParquetSource", "check_file", "check_folder", "check_target"),
        "_fixture": ("make_fixture",),
        "_forecast": ("Forecast",),
        "_frames": ("FrameSource", "to_polars"),
        "_grid": ("CUTS", "HORIZONS", "INNER", "LEVELS", "MEDIAN", "N_CLASSES", "horizon_bars"),
        "_instruments": ("ASSET_CLASSES", "Instrument"),
        "_integrity": ("check_database",),
        "_joins": ("asof_join", "combine"),
        "_level3": ("Level3Book", "level2_from_level3"),
        "_manifest": ("CatalogEntry", "CatalogProblem"),
        "_orderflow": ("FlowRates", "OrderFlow", "order_flow"),
        "_panel": ("KEYS", "OHLCV", "Panel", "Provenance", "blocks", "check_panel", "extent"),
        "_quality": ("RULES", "Finding", "QualityReport", "Rule", "check_quality"),
        "_resample": ("SCALES", "Bars", "is_intraday", "resample"),
        "_rule_tables": (
            "MARKET_RULES",
            "PRICE_CATEGORIES",
            "VENUE_FILTERS",
            "CircuitBreakerRule",
            "DailyLimitRule",
            "FilterTerms",
            "MarketRules",
            "PriceBandRule",
            "ShortSaleRule",
            "TickRule",
            "VenueFilters",
        ),
        "_source": ("Source",),
        "_sources": ("SOURCES", "available_sources", "load", "open_source"),
        "_sqlite_schema": ("ddl",),
        "_sqlite_source": ("SqliteSource",),
        "_synthetic": ("SyntheticSource",),
        "_views": ("Inputs", "Labels", "Permit", "Table", "Test", "Train", "Valid"),
    },
)
