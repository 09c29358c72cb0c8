"""Eight states by neural networks: which state the market will be in `AHEAD` bars on, from 20 numbers of today.

| symbol | meaning |
|---|---|
| x | the 17 columns of `MARKET_STATE`, standardised by the rows fitted on, cut at `CUT` deviations |
| y_t | the state of bar t by a rule, known at t |
| S | (8, 8) ln of the chance of each state AHEAD bars after each, counted on the rows fitted on |
| f | mean probability of y_{t + AHEAD}, of networks that add to row y_t of S what x_t and the three sides of y_t say |
| l_t | label: argmax of f where that is `odds` times f of l_{t-1}, else l_{t-1}; the likeliest one at the first row |

The rule has three sides: *Loud* or *Quiet*, ln of the deviation of returns over 20 bars to that over 250; rising or
falling, the return over 60 bars; forth or back, the return over 20 bars, both in deviations over 250 bars. Rising and
forth is a *Rise*, rising and back a *Pullback*, falling and forth a *Rebound*, falling and back a *Decline*. The edge
of a side is 0 where that leaves either side its least share of the rows fitted on, among those that the sides before it
single out, and else the quantile that does: where a market hardly ever falls, falling means rising less than usual. A
side turns only when its measure has passed a band around the edge, which is a share of these rows too.

Invariants:
1. A target at row t is y of row t + AHEAD of the rows fitted on; the last AHEAD rows have none. Rows that stop training
   are every fifth block of 50, apart from the others by AHEAD rows: a single stretch of years lacks some of the states.
2. Same rows and seed, same weights. Labels are computed from the weights in float64, without torch.
3. y reads rows up to its own, and edges from the rows fitted on.
4. Untrained networks say what S says: training begins at the state of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.core import derive_seed, require
from karat.features._spec import Floats
from karat.features.regimes._labeller import Ints, Labeller, State, held
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
CUT: Final = 5.0
HIDDEN: Final = 64
LEAST: Final = 2000
"""Rows to learn from: with fewer a state may never be told; docs/concepts/regimes.md has the measurement."""
_LAYERS: Final = 3
_BLOCK: Final = 50

SIDES: Final = ((LOUDNESS, 1.0), (RETURN_60, -1.0), (RETURN_20, -1.0))
"""Of each side of the rule: its column and the sign under which it is 1."""


@dataclass(frozen=True)
class NeuralPlan:
    """What was chosen on the years up to 2010; docs/decisions/012 has the procedure, its date and what it left out.

    side: least share of a parent's rows on each side of an edge. band: on either side of an edge, share of these rows
    within which a side is kept. balance: weight of a state in training is its share to the power of -balance. odds: how
    many times as likely as the label held another state must be to take its place. members: networks.
    """

    side: float = 0.45
    band: float = 0.3
    balance: float = 0.5
    odds: float = 12.0
    members: int = 16


FROZEN: Final = NeuralPlan()


def rule_edges(x: Floats, plan: NeuralPlan) -> Floats:
    """Return (7, 2) where a side turns to 0 and to 1, of the rows x (T, 17) fitted on.

    Row 2^k - 1 + c is of side k below c, the number that the sides before it make.
    """
    edges, above = np.empty((2 ** len(SIDES) - 1, 2)), np.zeros(len(x), dtype=np.int64)
    for k, (column, sign) in enumerate(SIDES):
        values = sign * x[:, column]
        for code in range(2**k):
            own = values[above == code] if (above == code).any() else values
            level = float(np.clip((own <= 0.0).mean(), plan.side, 1.0 - plan.side))
            edges[2**k - 1 + code] = np.quantile(own, np.clip([level - plan.band, level + plan.band], 0.0, 1.0))
        above = 2 * above + _turned(values, edges[2**k - 1 + above], None)
    return edges


def rule_sides(x: Floats, edges: Floats, before: Ints | None) -> Ints:
    """Return (T, 3) the sides of the rule, 0 or 1, at each row of x (T, 17); before: (3,) those of the row before."""
    out, above = np.empty((len(x), len(SIDES)), dtype=np.int64), np.zeros(len(x), dtype=np.int64)
    for k, (column, sign) in enumerate(SIDES):
        now = None if before is None else int(before[k])
        out[:, k] = _turned(sign * x[:, column], edges[2**k - 1 + above], now)
        above = 2 * above + out[:, k]
    return out


def _turned(values: Floats, edges: Floats, now: int | None) -> Ints:
    """Return (T,) the side of each row: 1 above its upper edge, 0 below its lower one, else that of the row before."""
    wanted = np.where(values > edges[:, 1], 1, np.where(values < edges[:, 0], 0, -1))
    return held(wanted, int(values[0] > edges[0].mean()) if now is None else now)


def rule_states(sides: Ints) -> Ints:
    """Return y, (T,), of sides (T, 3)."""
    return 4 * sides[:, 0] + 2 * sides[:, 1] + sides[:, 2]


class NeuralStates(Labeller):
    """seed: of weights and batches. plan: settings, by default those that were chosen."""

    names = NAMES
    least = LEAST

    def __init__(self, seed: int, *, plan: NeuralPlan = FROZEN) -> None:
        self._seed, self._plan = seed, plan
        self._weights: State = {}
        self._layers: list[tuple[Floats, Floats]] = []
        self._sides: Ints | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the rows seen."""
        self._code, self._sides = -1, None

    def refit(self, x: Floats) -> None:
        """Fit on the past, take up the sides of its last row and keep the label."""
        code = self._code
        self.fit(x)
        self._code, self._sides = code, rule_sides(x, self._weights["edges"], None)[-1]

    def _fit(self, x: Floats) -> None:
        spread, edges = x.std(axis=0), rule_edges(x, self._plan)
        sides = rule_sides(x, edges, None)
        scaling = {"centre": x.mean(axis=0), "scale": np.where(spread > 0.0, spread, 1.0), "edges": edges}
        n = len(x) - AHEAD
        z, now, later = _inputs(x, sides, scaling)[:n], rule_states(sides)[:n], rule_states(sides)[AHEAD:]
        start = _transitions(now, later, self._plan.balance)
        module = _trained(z, start[now], later, self._plan, derive_seed(self._seed, "regimes", "neural"))
        found = {name: value.numpy().astype(np.float64) for name, value in module.state_dict().items()}
        self._take({**scaling, **found, "start": start})

    def _take(self, weights: State) -> None:
        """Take up weights; their transposes are what one row is multiplied by."""
        self._weights = weights
        self._layers = [
            (weights[f"weights.{k}"].transpose(0, 2, 1).copy(), weights[f"biases.{k}"].transpose(0, 2, 1).copy())
            for k in range(_LAYERS)
        ]

    def probabilities(self, x: Floats) -> Floats:
        """Return (n, 8) the probability of each state AHEAD bars after each row, and take up the sides of the last one.

        x: (n, 17), the rows that follow those seen.
        """
        sides = rule_sides(x, self._weights["edges"], self._sides)
        self._sides = sides[-1]
        # row by row: a product of matrices rounds differently with the number of rows, and online must equal batch
        starts = self._weights["start"][rule_states(sides)]
        rows = _inputs(x, sides, self._weights)
        return np.array([self._forward(row, start) for row, start in zip(rows, starts, strict=True)])

    def _forward(self, row: Floats, start: Floats) -> Floats:
        out = row[:, None]
        for k, (weight, bias) in enumerate(self._layers):
            out = weight @ out + bias  # (members, outputs, 1)
            out = np.maximum(out, 0.0) if k < _LAYERS - 1 else out
        out = out + start[:, None]
        chance = np.exp(out - out.max(axis=1, keepdims=True))
        mean: Floats = (chance / chance.sum(axis=1, keepdims=True)).mean(axis=0)[:, 0]
        return mean

    def scan(self, x: Floats) -> tuple[Ints, Floats]:
        """Return the labels, which change only where a state's probability is `odds` times that of the label held."""
        chance = self.probabilities(x)
        codes = self.held_codes(chance, self._plan.odds)
        self._code = int(codes[-1])
        return codes, chance[np.arange(len(x)), codes]

    def held_codes(self, chance: Floats, odds: float) -> Ints:
        """Return the labels of rows with the probabilities (n, 8), from the label that is held now."""
        likeliest, codes = chance.argmax(axis=1).tolist(), np.empty(len(chance), dtype=np.int64)
        now = self._code if self._code >= 0 else likeliest[0]
        for k, best in enumerate(likeliest):
            now = best if chance[k, best] >= odds * chance[k, now] else now
            codes[k] = now
        return codes

    def settings(self) -> dict[str, Any]:
        """Return the seed and the plan."""
        return {"seed": self._seed, "plan": asdict(self._plan)}

    def state(self) -> State:
        """Return weights, scaling, edges and the label held."""
        sides = np.full(len(SIDES), -1) if self._sides is None else self._sides
        return {**self._weights, "held": np.array([self._code, *sides])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state."""
        weights = {name: value for name, value in state.items() if name != "held"}
        if weights:
            self._take(weights)
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


def _importance(states: Ints, balance: float) -> Floats:
    """Return (8,) the weight of each state in training: rare states count too."""
    share = np.bincount(states, minlength=len(NAMES)) / len(states)
    return np.asarray(np.maximum(share, 0.01) ** -balance)


def _transitions(now: Ints, later: Ints, balance: float) -> Floats:
    """Return (8, 8) ln of the weighted chance of each state AHEAD rows after each: where training begins.

    One row more than was seen of each state that stays, and a tenth of one for each that changes.
    """
    counts = np.full((len(NAMES), len(NAMES)), 0.1)
    np.fill_diagonal(counts, 1.0)
    np.add.at(counts, (now, later), 1.0)
    return np.asarray(np.log(counts / counts.sum(axis=1, keepdims=True) * _importance(later, balance)))


def _trained(z: Floats, start: Floats, y: Ints, plan: NeuralPlan, seed: int) -> StateClassifier:
    """Return networks trained on some rows and stopped by others; start: (T, 8) logits added to theirs."""
    torch = require("torch", "nets")
    from karat.nets import FitPlan, StateClassifier, fit_module

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = StateClassifier(z.shape[1], len(NAMES), hidden=HIDDEN, members=plan.members)
    with torch.no_grad():  # the first networks say what the transitions say
        module.weights[-1].zero_()
        module.biases[-1].zero_()
    learning, checking = _split(len(z))
    inputs, offsets = (torch.tensor(values, dtype=torch.float32) for values in (z, start))
    targets, learn, check = (torch.from_numpy(values) for values in (y, learning, checking))
    weight = torch.tensor(_importance(y[learning], plan.balance), dtype=torch.float32)

    def loss_of(rows: Tensor) -> Tensor:
        logits = (module(inputs[rows]) + offsets[rows]).flatten(0, 1)
        loss: Tensor = torch.nn.functional.cross_entropy(logits, targets[rows].repeat(plan.members), weight=weight)
        return loss

    fit_module(
        module,
        [{"params": list(module.parameters()), "lr": 1e-3, "weight_decay": 0.05}],
        n_rows=len(learning),
        batch_loss=lambda rows: loss_of(learn[rows]),
        valid_loss=lambda: float(loss_of(check)),
        plan=FitPlan(seed, max_steps=400, batch=128, check_every=10, patience=10),
    )
    return module
