"""`patch_transformer`: the forecaster around `karat.nets.PatchTransformer`.

First the direct path from the last row is solved for like `linear_quantile`: it is convex, and a few thousand noisy
days are too few to find it by stochastic gradients before the transformer overfits. Then the transformer is trained on
what is left: mean pinball of the standardised label and cross-entropy of its class. Valid stops training and chooses
the gain of each head. The class head starts from the classes that the direct path implies at the row's scale. Symbols
as in `_shape`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError, derive_seed, require
from karat.data import CUTS, LEVELS, MEDIAN, N_CLASSES, Inputs, Train, Valid
from karat.models._classes import FLOOR, quantiles_to_classes
from karat.models._forecaster import Forecaster
from karat.models._linear_quantile import fit_slopes
from karat.models._params import Param
from karat.models._problem import PREPARATION, Frame
from karat.models._shape import GRID, mean_pinball, shrinkage
from karat.models._state import State
from karat.models._types import Floats

if TYPE_CHECKING:
    from torch import Tensor

    from karat.nets import PatchTransformer

_CHUNK = 2048
_LOOK = 4096
_CLASS_WEIGHT = 0.1


class PatchTransformerForecaster(Forecaster):
    """A small transformer over patches of feature history; about 25,000 weights with 21 features.

    lookback, patch, stride: bars. d_model, layers, heads, d_ff: sizes. direct: whether the last row's direct path is
    solved for (without it the transformer learns alone). l1_ratio: share of the L1 penalty in it. learning_rate,
    weight_decay: of AdamW. max_steps, batch, patience: budget, rows a step, looks at Valid (one in ten steps) without
    a better loss.
    """

    name = "patch_transformer"
    stochastic = True
    PARAMS: ClassVar[Mapping[str, Param]] = {
        **PREPARATION,
        "lookback": Param(32, 2, 512),
        "patch": Param(8, 1, 512),
        "stride": Param(8, 1, 512),
        "d_model": Param(32, 4, 1024),
        "layers": Param(2, 1, 24),
        "heads": Param(4, 1, 64),
        "d_ff": Param(64, 4, 4096),
        "dropout": Param(0.2, 0.0, 0.9),
        "learning_rate": Param(2e-3, 1e-6, 1.0),
        "direct": Param(True),
        "l1_ratio": Param(0.5, 0.05, 1.0),
        "weight_decay": Param(0.1, 0.0, 10.0),
        "max_steps": Param(300, 1, 1_000_000),
        "batch": Param(256, 1, 100_000),
        "patience": Param(10, 1, 10_000),
    }

    def __init__(self, *, seed: int = 42, **params: Any) -> None:
        super().__init__(seed=seed, **params)
        if int(self.params["patch"]) > int(self.params["lookback"]):
            raise InputError(
                "patch_transformer.patch", self.params["patch"], allowed=f"up to lookback={self.params['lookback']}"
            )
        if int(self.params["d_model"]) % int(self.params["heads"]):
            allowed = f"a divisor of d_model={self.params['d_model']}"
            raise InputError("patch_transformer.heads", self.params["heads"], allowed=allowed)

    def _fit(self, train: Train, valid: Valid) -> None:
        torch = require("torch", "nets")
        from karat.nets import FitPlan, fit_module, pinball_loss

        frame = self._frame = Frame.fit(train, self.params)
        seed = derive_seed(self.seed, self.name)
        self._slopes = np.zeros((2, frame.preparation.width))
        if self.params["direct"]:
            self._slopes = fit_slopes(frame, train, valid, l1_ratio=float(self.params["l1_ratio"]))
        module = self._module = self._build(seed)
        learn, check = self._rows(train), self._rows(valid)
        levels = torch.tensor(LEVELS, dtype=torch.float32)
        z, classes = torch.tensor(frame.target(train), dtype=torch.float32), torch.tensor(_classes(train))
        z_valid = frame.target(valid)
        # Enough rows to stop by: looking at every row of a large panel would cost more than training.
        few = np.arange(0, len(valid), -(-len(valid) // _LOOK))

        def batch_loss(rows: Tensor) -> Tensor:
            quantiles, logits = module(*learn.batch(rows.numpy()))
            entropy = torch.nn.functional.cross_entropy(logits, classes[rows])
            loss: Tensor = pinball_loss(z[rows], quantiles, levels) + _CLASS_WEIGHT * entropy
            return loss

        steps, batch, patience = (int(self.params[name]) for name in ("max_steps", "batch", "patience"))
        plan = FitPlan(seed, max_steps=steps, batch=batch, patience=patience)
        log = fit_module(
            module,
            self._groups(),
            n_rows=len(train),
            batch_loss=batch_loss,
            valid_loss=lambda: mean_pinball(z_valid[few], self._run(check, few)[0]),
            plan=plan,
        )
        self.notes += (f"patch_transformer: best Valid at step {log.best_step} of {log.steps}",)
        self._shrink(check, z_valid, _classes(valid))

    def _shrink(self, check: _Rows, z: Floats, classes: NDArray[np.int64]) -> None:
        """Choose the gains of both heads on Valid."""
        quantiles, probabilities = self._run(check)
        start = check.classes
        rows = np.arange(len(z))

        def entropy(part: float) -> float:
            mixed = np.exp((1.0 - part) * np.log(start) + part * np.log(probabilities))
            return -float(np.mean(np.log(mixed[rows, classes] / mixed.sum(axis=1))))

        gains = [shrinkage(z, check.quantiles, quantiles), min(GRID, key=lambda part: (entropy(part), part))]
        self._module.gain.copy_(require("torch", "nets").tensor(gains))

    def _groups(self) -> list[dict[str, Any]]:
        """One AdamW group of all weights but those of the direct path, which are solved for."""
        weights = [weight for weight in self._module.parameters() if weight.requires_grad]
        rates = {"lr": float(self.params["learning_rate"]), "weight_decay": float(self.params["weight_decay"])}
        return [{"params": weights, **rates}]

    def _rows(self, inputs: Inputs) -> _Rows:
        return _Rows(self._frame, self._slopes, inputs, int(self.params["lookback"]))

    def network(self, n_features: int) -> PatchTransformer:
        """Return the untrained module for `n_features` features."""
        return self._module_of(n_features, np.zeros(len(LEVELS)))

    def _build(self, seed: int) -> PatchTransformer:
        torch = require("torch", "nets")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = self._module_of(self._frame.preparation.width, self._frame.shape.values)
        module.skip.requires_grad_(False)
        module.skip.weight.copy_(torch.tensor(self._slopes, dtype=torch.float32))
        return module

    def _module_of(self, n_features: int, shape: Floats) -> PatchTransformer:
        torch = require("torch", "nets")
        from karat.nets import PatchSize, PatchTransformer

        names = {"layers": "n_layers", "heads": "n_heads"}
        sizes = ("lookback", "patch", "stride", "d_model", "layers", "heads", "d_ff", "dropout")
        chosen: dict[str, Any] = {names.get(name, name): self.params[name] for name in sizes}
        size = PatchSize(n_features, len(LEVELS), N_CLASSES, MEDIAN, **chosen)
        return PatchTransformer(size, torch.tensor(shape, dtype=torch.float32))

    def _run(self, rows: _Rows, chosen: NDArray[np.int64] | None = None) -> tuple[Floats, Floats]:
        """Return (n, 23) standardised quantiles and (n, 9) probabilities of all or the chosen rows, on one thread."""
        torch = require("torch", "nets")
        from karat.nets import one_thread

        chosen = np.arange(len(rows)) if chosen is None else chosen
        quantiles, probabilities = np.empty((len(chosen), len(LEVELS))), np.empty((len(chosen), N_CLASSES))
        with one_thread(), torch.inference_mode():
            for low in range(0, len(chosen), _CHUNK):
                part = slice(low, low + _CHUNK)
                found, logits = self._module(*rows.batch(chosen[part]))
                quantiles[part] = found.numpy()
                probabilities[part] = torch.softmax(logits.double(), dim=1).numpy()
        probabilities = np.maximum(probabilities, FLOOR)
        return quantiles, probabilities / probabilities.sum(axis=1, keepdims=True)

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        rows = self._rows(inputs)
        quantiles, probabilities = self._run(rows)
        return rows.scale[:, None] * quantiles, probabilities

    def _state(self) -> State:
        weights = {f"net.{name}": value.numpy() for name, value in self._module.state_dict().items()}
        return self._frame.state(slopes=self._slopes, **weights)

    def _restore(self, state: State) -> None:
        torch = require("torch", "nets")
        self._frame, self._slopes = Frame.restore(state), state.arrays["slopes"]
        self._module = self._build(0)
        weights = {name[4:]: torch.from_numpy(value) for name, value in state.arrays.items() if name.startswith("net.")}
        self._module.load_state_dict(weights)
        self._module.eval()


class _Rows:
    """The windows of a view, gathered batch by batch: storing them all would repeat every row `lookback` times."""

    def __init__(self, frame: Frame, slopes: Floats, inputs: Inputs, lookback: int) -> None:
        torch = require("torch", "nets")
        table = inputs.table
        self._from_numpy = torch.from_numpy
        self._features = frame.preparation.apply(table.features).astype(np.float32)
        self._offsets = np.arange(1 - lookback, 1)
        self._rows, self._first = inputs.rows, table.first[inputs.rows]
        self.scale = frame.scale.of(inputs)
        shift, stretch = (frame.features(inputs) @ slopes.T).T
        self.quantiles = frame.shape.quantiles(shift, stretch)
        self.classes = quantiles_to_classes(self.scale[:, None] * self.quantiles)
        self._log_classes = np.log(self.classes).astype(np.float32)

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, part: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return (b, L, p) windows, 0 before the first bar, and (b, 9) log probabilities of the starting classes."""
        at = self._rows[part][:, None] + self._offsets[None, :]
        inside = at >= self._first[part][:, None]
        window = self._features[np.maximum(at, 0)] * inside[:, :, None].astype(np.float32)
        return self._from_numpy(window), self._from_numpy(self._log_classes[part])


def _classes(view: Train | Valid) -> NDArray[np.int64]:
    return np.searchsorted(CUTS, view.labels.value, side="left").astype(np.int64)
