"""Arrays and plain values as bytes: safetensors, whose header holds the values as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.core import DataError, canonical_json

_FORMAT: Final = "karat.regime.3"
_AGAIN: Final = "fit and save the regime again"


def pack(name: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> bytes:
    """Return bytes that hold the arrays, the facts and the regime's name."""
    from safetensors.numpy import save

    # one entry: several would come in any order, and equal states must be equal bytes
    head = {"karat": canonical_json({"format": _FORMAT, "regime": name, "facts": dict(facts)})}
    return bytes(save({key: np.ascontiguousarray(value) for key, value in arrays.items()}, head))


def unpack(saved: bytes, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays and the facts.

    Raises:
        DataError: bytes that `pack` did not write, or wrote for another regime.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(saved)
        size = int.from_bytes(saved[:8], "little")
        head = json.loads(json.loads(saved[8 : 8 + size])["__metadata__"]["karat"])
        kind, regime, facts = head["format"], head["regime"], head["facts"]
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError("regime", "bytes that save() wrote", seen=str(error), fix=_AGAIN) from None
    if kind != _FORMAT:
        raise DataError("regime", f"saved in the format {_FORMAT}", seen=str(kind), fix=_AGAIN)
    if regime != name:
        raise DataError(
            "regime", f"saved for {name}", seen=str(regime), fix=f"load it into make_regime({str(regime)!r})"
        )
    return arrays, facts
