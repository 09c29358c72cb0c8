"""The compiled half of the feature engine: a program of instructions over the rows of an instrument, or its next bar.

`ops` numbers the operations and the columns of an instruction; `evaluate` runs a program over all rows,
`broken` says whether it may, `advance` takes one bar; `state_size` says how many floats a recursion keeps.
"""

from karat.kernels.features import _ops as ops
from karat.kernels.features._execute import advance, broken, evaluate
from karat.kernels.features._steps import state_size

__all__ = ["advance", "broken", "evaluate", "ops", "state_size"]
