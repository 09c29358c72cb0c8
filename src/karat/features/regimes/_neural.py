"""Eight states by neural networks: which state the market will be in `AHEAD` bars on, from 20 numbers of today.

| symbol | meaning |
|---|---|
| x | the 17 columns of `MARKET_STATE`, standardised by the rows fitted on, cut at `CUT` deviations |
| y_t | the state of bar t by a rule, known at t |
| f | mean probability of y_{t + AHEAD}, given x_t and the three sides of y_t, of `MEMBERS` networks of 6,024 weights |
| l_t | label: argmax of f where it reaches `SWITCH`, else l_{t-1}; the likeliest one at the first row |

The rule has three sides, each of which turns only when its measure has passed a band around 0: *Loud* or *Quiet*, ln of
the deviation of returns over 20 bars to that over 250; rising or falling, the return over 60 bars; forth or back, the
return over 20 bars, both in deviations over 250 bars. Rising and forth is a *Rise*, rising and back a *Pullback*,
falling and forth a *Rebound*, falling and back a *Decline*.

Invariants:
1. A target at row t is y of row t + AHEAD of the rows fitted on; the last AHEAD rows have none. Rows that stop training
   are every fifth block of 50, apart from the others by AHEAD rows: a single stretch of years lacks some of the states.
2. Same rows and seed, same weights. Labels are computed from the weights in float64, without torch.
3. y reads rows up to its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.core import derive_seed, require
from karat.features.regimes._labeller import Floats, Ints, Labeller, State, held
from karat.features.regimes._measures import LOUDNESS, RETURN_20, RETURN_60

if TYPE_CHECKING:
    from torch import Tensor

    from karat.nets import StateClassifier

NAMES: Final = (
    "QuietRise",
    "QuietPullback",
    "QuietRebound",
    "QuietDecline",
    "LoudRise",
    "LoudPullback",
    "LoudRebound",
    "LoudDecline",
)
AHEAD: Final = 5
SWITCH: Final = 0.75
CUT: Final = 5.0
HIDDEN: Final = 64
MEMBERS: Final = 3
_LAYERS: Final = ("first", "second", "head")
_BLOCK: Final = 50


BANDS: Final = ((LOUDNESS, 1.0, 0.15), (RETURN_60, -1.0, 0.4), (RETURN_20, -1.0, 0.6))
"""Of each side of the rule: its column, the sign under which it is 1, and the half width of its band."""


def rule_sides(x: Floats, before: Ints | None) -> Ints:
    """Return (T, 3) the sides of the rule, 0 or 1, at each row of x (T, 17); before: (3,) those of the row before."""
    out = np.empty((len(x), len(BANDS)), dtype=np.int64)
    for k, (column, sign, band) in enumerate(BANDS):
        values = sign * x[:, column]
        now = int(values[0] > 0.0) if before is None else int(before[k])
        out[:, k] = held(np.where(values > band, 1, np.where(values < -band, 0, -1)), now)
    return out


def rule_states(sides: Ints) -> Ints:
    """Return y, (T,), of sides (T, 3)."""
    return 4 * sides[:, 0] + 2 * sides[:, 1] + sides[:, 2]


class NeuralStates(Labeller):
    """seed: of weights, batches and dropout. switch: as the constant above."""

    names = NAMES
    least = 300

    def __init__(self, seed: int, *, switch: float = SWITCH) -> None:
        self._seed, self._switch = seed, switch
        self._weights: State = {}
        self._sides: Ints | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the rows seen."""
        self._code, self._sides = -1, None

    def refit(self, x: Floats) -> None:
        """Fit on the past, take up the sides of its last row and keep the label."""
        code = self._code
        self.fit(x)
        self._code, self._sides = code, rule_sides(x, None)[-1]

    def _fit(self, x: Floats) -> None:
        spread, sides = x.std(axis=0), rule_sides(x, None)
        scaling = {"centre": x.mean(axis=0), "scale": np.where(spread > 0.0, spread, 1.0)}
        n = len(x) - AHEAD
        z, y, weights = _inputs(x, sides, scaling)[:n], rule_states(sides)[AHEAD:], {}
        for k in range(MEMBERS):
            module = _trained(z, y, derive_seed(self._seed, "regimes", "neural", k))
            for name, value in module.state_dict().items():
                weights[f"{k}.{name}"] = value.numpy().astype(np.float64)
        self._weights = {**scaling, **weights}

    def probabilities(self, x: Floats) -> Floats:
        """Return (n, 8) the probability of each state AHEAD bars after each row; x: (n, 17), the next rows."""
        sides = rule_sides(x, self._sides)
        self._sides = sides[-1]
        # row by row: a product of matrices rounds differently with the number of rows, and online must equal batch
        return np.array([self._forward(row) for row in _inputs(x, sides, self._weights)])

    def _forward(self, row: Floats) -> Floats:
        total = np.zeros(len(NAMES))
        for k in range(MEMBERS):
            out = row
            for name in _LAYERS:
                out = self._weights[f"{k}.{name}.weight"] @ out + self._weights[f"{k}.{name}.bias"]
                out = out if name == _LAYERS[-1] else np.maximum(out, 0.0)
            chance = np.exp(out - out.max())
            total += chance / chance.sum()
        return total / MEMBERS

    def scan(self, x: Floats) -> tuple[Ints, Floats]:
        """Return the labels, which change only where a state's probability reaches `switch`."""
        chance = self.probabilities(x)
        likeliest = chance.argmax(axis=1)
        sure = chance.max(axis=1) >= self._switch
        codes = held(np.where(sure, likeliest, -1), self._code if self._code >= 0 else int(likeliest[0]))
        self._code = int(codes[-1])
        return codes, chance[np.arange(len(x)), codes]

    def state(self) -> State:
        """Return weights, scaling and the label held."""
        sides = np.full(3, -1) if self._sides is None else self._sides
        return {**self._weights, "held": np.array([self._code, *sides])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state."""
        self._weights = {name: value for name, value in state.items() if name != "held"}
        self._code, sides = int(state["held"][0]), state["held"][1:]
        self._sides = sides if sides[0] >= 0 else None


def _inputs(x: Floats, sides: Ints, scaling: Mapping[str, NDArray[Any]]) -> Floats:
    """Return (T, 20): standardised measures, and the sides as -1 or 1."""
    z = np.clip((x - scaling["centre"]) / scaling["scale"], -CUT, CUT)
    return np.column_stack([z, 2.0 * sides - 1.0])


def _split(n: int) -> tuple[Ints, Ints]:
    """Return the rows to learn from and those that stop it: every fifth block, with AHEAD rows left out around it."""
    block = np.arange(n) // _BLOCK
    checking = block % 5 == 4
    near = np.convolve(checking, np.ones(2 * AHEAD + 1), mode="same") > 0
    return np.flatnonzero(~near), np.flatnonzero(checking)


def _trained(z: Floats, y: Ints, seed: int) -> StateClassifier:
    """Return the network trained on the first rows and stopped by the last ones."""
    torch = require("torch", "nets")
    from karat.nets import FitPlan, StateClassifier, fit_module

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = StateClassifier(z.shape[1], len(NAMES), hidden=HIDDEN)
    learning, checking = _split(len(z))
    inputs, targets = torch.tensor(z, dtype=torch.float32), torch.tensor(y)
    learn, check = torch.from_numpy(learning), torch.from_numpy(checking)
    entropy = torch.nn.functional.cross_entropy
    share = np.bincount(y[learning], minlength=len(NAMES)) / len(learning)
    weight = torch.tensor(1.0 / np.sqrt(np.maximum(share, 0.01)), dtype=torch.float32)  # rare states count too

    def batch_loss(rows: Tensor) -> Tensor:
        chosen = learn[rows]
        loss: Tensor = entropy(module(inputs[chosen]), targets[chosen], weight=weight)
        return loss

    fit_module(
        module,
        [{"params": list(module.parameters()), "lr": 3e-3, "weight_decay": 0.05}],
        n_rows=len(learning),
        batch_loss=batch_loss,
        valid_loss=lambda: float(entropy(module(inputs[check]), targets[check], weight=weight)),
        plan=FitPlan(seed, max_steps=600, batch=128, check_every=10, patience=15),
    )
    return module
