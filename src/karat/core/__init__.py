"""Time, ids, units, errors, configuration, randomness, hashing and the ledger: what every other room stands on.

Nothing here knows about markets. Importing it loads numpy and pydantic and nothing heavier.
"""

from karat.core._config import Config
from karat.core._errors import (
    ConfigError,
    DataError,
    EnvironmentProblem,
    InputError,
    Interrupted,
    KaratError,
    LeakageError,
    LedgerError,
    MarketStopped,
    MissingExtraError,
    RangeError,
    nearest,
)
from karat.core._extras import require
from karat.core._hashing import canonical_json, content_hash, file_digests, tree_hash
from karat.core._ids import instrument_id, short_id
from karat.core._ledger import Ledger
from karat.core._records import Entry, Head, VerifyReport, read_head
from karat.core._rng import derive_seed, generator, set_all_seeds, validate_determinism
from karat.core._time import NS_PER_DAY, NS_PER_SECOND, iso, iso_date, monotonic_ns, now_ns, to_ns
from karat.core._verify import verify_ledger

__all__ = [
    "NS_PER_DAY",
    "NS_PER_SECOND",
    "Config",
    "ConfigError",
    "DataError",
    "Entry",
    "EnvironmentProblem",
    "Head",
    "InputError",
    "Interrupted",
    "KaratError",
    "LeakageError",
    "Ledger",
    "LedgerError",
    "MarketStopped",
    "MissingExtraError",
    "RangeError",
    "VerifyReport",
    "canonical_json",
    "content_hash",
    "derive_seed",
    "file_digests",
    "generator",
    "instrument_id",
    "iso",
    "iso_date",
    "monotonic_ns",
    "nearest",
    "now_ns",
    "read_head",
    "require",
    "set_all_seeds",
    "short_id",
    "to_ns",
    "tree_hash",
    "validate_determinism",
    "verify_ledger",
]
