"""The form of every swappable assumption: a frozen record of parameters that becomes (kind id, words) for the kernel.

Adding a built-in model: an id in `karat.kernels.market._kinds`, its formula beside the others of that kind in
`_assumptions` or `_charges`, and a class here that names the id and the words. A user's own model needs none of that:
the `User...` classes take the address of a compiled function (`numba.cfunc("int64(int64, int64, int64, int64)")`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from karat.core import Config, InputError

Record = tuple[int, tuple[int | float, ...]]
RATES_PER_BPS: Final = 100_000
RATE_ONE: Final = 1_000_000_000


class Assumption(Config, ABC):
    """A model with parameters; `record()` gives its kind id and words, `words()` the words as memory."""

    @abstractmethod
    def record(self) -> Record:
        """Return (kind id, words); a float in the words is a float64 in memory, an int an int64."""

    def words(self) -> NDArray[np.int64]:
        """Return the record's words as int64, floats by their bits; one word of 0 when there are none."""
        return pack(self.record()[1])


class UserFunction(Assumption):
    """Base of the models whose formula is the user's.

    address: of a C function of four int64 arguments that returns an int64, `numba.cfunc(...).address`. The function
    must be pure: what it draws at random comes from the random word it is given. The caller keeps it alive.
    """

    address: int = Field(gt=0)


def pack(values: tuple[int | float, ...]) -> NDArray[np.int64]:
    """Return numbers as 8-byte words: ints as int64, floats as the bits of a float64.

    Raises:
        InputError: an int that does not fit.
    """
    words = np.zeros(max(len(values), 1), dtype=np.int64)
    reals = words.view(np.float64)
    for k, value in enumerate(values):
        if isinstance(value, float):
            reals[k] = value
        elif -(2**63) <= value < 2**63:
            words[k] = value
        else:
            raise InputError("record", value, allowed="-2**63 to 2**63 - 1", why=f"word {k} is an int64")
    return words


def whole(field: str, value: float, scale: int, unit: str) -> int:
    """Return value * scale, which must be a whole number, e.g. basis points as multiples of 1e-9.

    Raises:
        ValueError: the product is not whole; `field`, the value and the unit are named.
    """
    scaled = value * scale
    if abs(scaled - round(scaled)) > 1e-6 * max(1.0, abs(scaled) * 1e-6):
        raise ValueError(f"{field}: got {value:.12g}; allowed: a multiple of {1 / scale:.12g} {unit}")
    return round(scaled)
