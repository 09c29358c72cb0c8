"""What a program of features is made of: the operations, by number, and the columns of an instruction.

| symbol | meaning |
|---|---|
| x, y, ... | operands: series of one instrument, oldest row first |
| k | lag in rows of every second operand |
| w | window in rows |
| p, q, r | constants |

An instruction is a row of whole numbers (`OP`, `OUT`, eight operands from `IN`, `LAG`, `WINDOW`, `PLACE`) and
a row of three floats. `PLACE` is where a recursion keeps its state, or where a weighted sum finds its weights.
Operands and `OUT` are rows of a table of values; online they are rings in the state: place + mask * 2 ** `RING_BITS`,
with a length of mask + 1, a power of two.

Invariants:
1. The value of an element-wise or windowed operation at a row depends on that row's window alone, to the bit: how many
   rows came before changes nothing. Sums, moments and extremes are built from halves (see `karat.features`), so there
   is no running sum whose rounding errors or NaN could travel.
2. A recursion is a scan of one step over its rows; a row without a finite operand is passed over and gives NaN.
"""

from __future__ import annotations

from typing import Final

OP, OUT, IN, LAG, WINDOW, PLACE, WIDTH = 0, 1, 2, 10, 11, 12, 13
MOST: Final = 8
RING_BITS: Final = 32
RING: Final = (1 << RING_BITS) - 1

# element-wise: one number out of the operands of a row
SINE, AFFINE, LOG, EXP, SQRT, ABS, SIGN, POSITIVE, ROUND, AT_LEAST, XLOGX, CALENDAR = range(12)
ADD, SUB, MUL, DIV, MAX, MIN, LESS, LESS_EQUAL, EQUAL, RATIO, BLEND, PATTERN, WHERE, LAGGED = range(12, 26)
MERGE_M2, MERGE_COV, MERGE_TIME, MERGE_M3, MERGE_M4 = range(26, 31)
BINARY: Final = 12
MERGES: Final = 26
ELEMENTS: Final = 31

# windowed: read the last w rows of the first operand
DOT, RANK, QUANTILE, SPREAD, SINCE, SINCE_FIRST, RESCALED, DETREND = range(31, 39)
WINDOWED: Final = 39
INPUT: Final = 39  # online only: a column of the bar

# recursive: a step with a state
EMA, WILDER, AGE, SMA, RSI, MACD, ADX, ATR, CCI, MFI, OBV, KAMA, MACD_SIGNAL = range(48, 61)
