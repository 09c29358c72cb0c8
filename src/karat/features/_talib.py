"""The functions that TA-Lib computes over a whole history, as expressions; bar by bar each is a step of karat's own."""

from __future__ import annotations

from typing import Final

from karat.features._graph import Library, Node, node
from karat.kernels.features import ops

_STEPS: Final = {
    "SMA": (ops.SMA, ()),
    "EMA": (ops.EMA, ()),
    "RSI": (ops.RSI, ()),
    "MACD": (ops.MACD, (12.0, 9.0)),
    "MACD signal": (ops.MACD_SIGNAL, (12.0, 9.0)),
    "ADX": (ops.ADX, ()),
    "ATR": (ops.ATR, ()),
    "CCI": (ops.CCI, ()),
    "MFI": (ops.MFI, ()),
    "OBV": (ops.OBV, ()),
    "KAMA": (ops.KAMA, ()),
}


def talib(function: str, *inputs: Node, w: int, output: int = 0, options: tuple[int, ...] = ()) -> Node:
    """Return an output of a function of TA-Lib; bar by bar it is the step of the same name, tested against it.

    w: its period, the first of its options unless they are given.
    """
    op, constants = _STEPS[function if function != "MACD" or output == 2 else "MACD signal"]
    return node(
        op, inputs, window=w, constants=constants, library=Library(function, options or ((w,) if w else ()), output)
    )
