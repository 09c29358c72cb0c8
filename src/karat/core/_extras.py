"""The one door to optional libraries."""

from __future__ import annotations

import importlib
from types import ModuleType

from karat.core._errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module.

    Raises:
        MissingExtraError: naming the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(module, extra) from error
