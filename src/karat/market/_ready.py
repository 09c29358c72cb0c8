"""Load compiled kernels, and say so where they had to be compiled first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from karat.core import NS_PER_SECOND, monotonic_ns
from karat.kernels import bundles_compiled

_LOG = logging.getLogger(__name__)
_WORTH_SAYING: Final = 1.0  # seconds
Loaded = TypeVar("Loaded")


def ready(what: str, load: Callable[[], Loaded]) -> Loaded:
    """Return what `load` returns; where kernels were compiled for it and that took more than a second, say so."""
    before, started = bundles_compiled(), monotonic_ns()
    made = load()
    seconds = (monotonic_ns() - started) / NS_PER_SECOND
    if bundles_compiled() > before and seconds > _WORTH_SAYING:
        _LOG.info("compiled %s in %.1f s; it is kept on disk for the next run", what, seconds)
    return made
