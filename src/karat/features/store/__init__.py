"""The feature store: features computed once, kept by what they are, and read as of any moment.

| part | holds | where |
|---|---|---|
| definition | what a selection means: formulas, functions, kernels; its hash is the version | `definition.json` |
| offline | every bar and its values, with the moment they were known from | Parquet parts, one folder an instrument |
| online | the latest values of each instrument | memory, or Redis (extra `online`) |

Time convention: `ts` is a bar's close, `known_at` the moment from which a value could be used; both int64 UTC ns. A row
that arrives late or is corrected never replaces one: it is kept beside it with the `known_at` of its arrival, as are
the values of later bars that it changed.
"""

from karat.features.store._definition import Definition, definition_of
from karat.features.store._online import MemoryOnline, Online, RedisOnline, Served
from karat.features.store._skew import Skew, skew_of
from karat.features.store._store import FeatureStore, StoreUse

__all__ = [
    "Definition",
    "FeatureStore",
    "MemoryOnline",
    "Online",
    "RedisOnline",
    "Served",
    "Skew",
    "StoreUse",
    "definition_of",
    "skew_of",
]
