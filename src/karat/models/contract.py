"""The contract of `Forecaster` as a test suite: subclass `ForecasterContract`, give `make`, and run it with pytest.

    from karat.models.contract import ForecasterContract

    class TestMyModel(ForecasterContract):
        def make(self):
            return MyModel(my_parameter=3)

Every test is a plain method with plain asserts; this module does not import pytest. `planted_views` makes the small
markets that the suite runs on, and is of use for tests of one's own.
"""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from karat.core import NS_PER_DAY, InputError, content_hash, generator
from karat.data import LEVELS, N_CLASSES, Forecast, Inputs, Labels, Table, Test, Train, Valid
from karat.models._forecaster import Forecaster
from karat.models._types import Floats

_PERSISTENCE = 0.87  # of the signal: a half life of five days


def planted_views(
    *, seed: int = 0, ic: float = 0.2, rows: int = 700, width: int = 5, names: tuple[str, ...] = ("A.X", "B.X")
) -> tuple[Train, Valid, Test]:
    """Return the views of a market in which the last feature, `signal`, drives the next bar's return, or nothing does.

    ic: correlation of signal and next return in units of the volatility; 0 plants nothing, with the same draws. rows:
    bars an instrument; an eighth each is Valid and Test. width: features, all but the last of them noise. Returns have
    clustered volatility and Student-t shocks; the label is the next bar's return less a small unforecastable overnight
    move.
    """
    parts = [_market(seed, k, (ic, rows, width)) for k in range(len(names))]
    day = np.tile(np.arange(rows, dtype=np.int64), len(names))
    ts = (day + 1) * NS_PER_DAY
    code = np.repeat(np.arange(len(names), dtype=np.int64), rows)
    features, returns, value = (np.concatenate([part[k] for part in parts]) for k in range(3))
    columns = (*(f"noise_{j}" for j in range(width - 1)), "signal")
    table = Table(ts, ts, code, names, features, columns, returns)
    held = rows // 8
    cuts = (20, rows - 2 * held - 1, rows - held - 1, rows - 1)
    views = []
    for low, high in pairwise(cuts):
        cut = table.take(np.flatnonzero(day < high))
        at = np.flatnonzero((day >= low) & (day < high))
        chosen = np.flatnonzero(cut.ts >= (low + 1) * NS_PER_DAY)
        views.append((cut, chosen, "1d", Labels(value[at], ts[at] + 1, ts[at] + NS_PER_DAY)))
    return Train(*views[0]), Valid(*views[1]), Test(*views[2])


def _market(seed: int, instrument: int, size: tuple[float, int, int]) -> tuple[Floats, Floats, Floats]:
    """Return (n, p) features, (n,) returns and (n,) labels of one instrument."""
    from scipy.signal import lfilter

    ic, n, width = size
    rng = generator(seed, "planted-views", instrument)
    rough = rng.standard_normal((n, width))
    keeps = np.r_[np.linspace(0.0, 0.9, width - 1), _PERSISTENCE]
    smooth = [lfilter([np.sqrt(1 - a * a)], [1.0, -a], rough[:, j]) for j, a in enumerate(keeps)]
    features = np.column_stack(smooth)
    shock = rng.standard_t(5, n) / np.sqrt(5 / 3)
    drive = np.r_[1.0, 0.02 + 0.06 * shock[:-1] ** 2]
    sigma = 0.01 * np.sqrt(_variance(drive))
    edge = ic / np.sqrt(1 - ic**2)
    value = np.r_[sigma[1:] * (edge * features[:-1, -1] + shock[1:]), 0.0]
    returns = np.r_[np.nan, value[:-1] + 0.2 * sigma[1:] * rng.standard_normal(n - 1)]
    return features, returns, value


def _variance(drive: Floats) -> Floats:
    """Return v with v_0 = drive_0 and v_t = drive_t + 0.92 v_{t-1}: shocks alone move it."""
    out = drive.copy()
    for t in range(1, len(out)):
        out[t] += 0.92 * out[t - 1]
    return out


class ForecasterContract:
    """What every forecaster must do. Override `make`; override `views` for markets of one's own."""

    @abstractmethod
    def make(self) -> Forecaster:
        """Return a new unfitted forecaster; small settings keep the suite fast."""

    def views(self) -> tuple[Train, Valid, Test]:
        """Return the three views to run on; at least two instruments."""
        return planted_views()

    def _fitted(self) -> tuple[Forecaster, Inputs]:
        train, valid, test = self.views()
        return self.make().fit(train, valid), test.inputs()

    def test_forecast_has_the_shape_of_its_inputs(self) -> None:
        model, inputs = self._fitted()
        forecast = model.predict(inputs)
        assert forecast.quantiles.shape == (len(inputs), len(LEVELS))
        assert forecast.probabilities.shape == (len(inputs), N_CLASSES)
        assert (forecast.ts == inputs.ts).all()
        assert forecast.instrument.tolist() == inputs.instrument.tolist()
        assert (forecast.model, forecast.horizon) == (model.name, inputs.horizon)

    def test_quantiles_are_ordered_and_probabilities_on_the_simplex(self) -> None:
        model, inputs = self._fitted()
        forecast = model.predict(inputs)
        assert (np.diff(forecast.quantiles, axis=1) >= 0.0).all()
        assert (forecast.quantiles >= -1.0).all()
        assert (forecast.quantiles[:, -1] > forecast.quantiles[:, 0]).all()
        assert (forecast.probabilities > 0.0).all()
        assert np.abs(forecast.probabilities.sum(axis=1) - 1.0).max() < 1e-9

    def test_same_seed_gives_the_same_bits(self) -> None:
        first, inputs = self._fitted()
        second, _ = self._fitted()
        assert _bits(first.predict(inputs)) == _bits(first.predict(inputs)) == _bits(second.predict(inputs))

    def test_a_model_that_says_it_ignores_the_seed_does(self) -> None:
        train, valid, test = self.views()
        model = self.make()
        if not model.stochastic:
            other = self.make().set_params(seed=model.seed + 1)
            answers = {_bits(item.fit(train, valid).predict(test.inputs())) for item in (model, other)}
            assert len(answers) == 1

    def test_saved_and_loaded_predicts_the_same_bits(self) -> None:
        model, inputs = self._fitted()
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model")
            loaded = type(model).load(Path(folder) / "model")
            assert not list(Path(folder).rglob("*.pkl"))
        assert _bits(loaded.predict(inputs)) == _bits(model.predict(inputs))
        assert (loaded.get_params(), loaded.notes) == (model.get_params(), model.notes)

    def test_the_future_does_not_change_the_past(self) -> None:
        model, inputs = self._fitted()
        early = np.flatnonzero(inputs.ts <= np.median(inputs.ts))
        whole, last = model.predict(inputs), int(inputs.ts[early].max())
        table = inputs.table
        later = table.ts > last
        poisoned = replace(
            table,
            features=np.where(later[:, None], 1e3 + table.features, table.features),
            returns=np.where(later, 0.5, table.returns),
        )
        told = model.predict(Inputs(poisoned, inputs.rows, inputs.horizon))
        assert (told.quantiles[early] == whole.quantiles[early]).all()
        assert (told.probabilities[early] == whole.probabilities[early]).all()
        kept = np.flatnonzero(~later)
        short = Inputs(table.take(kept), np.searchsorted(kept, inputs.rows[early]), inputs.horizon)
        cut = model.predict(short)
        # Sums over blocks of another size may round differently, so this one is not to the bit.
        assert np.allclose(cut.quantiles, whole.quantiles[early], rtol=1e-5, atol=1e-8)
        assert np.allclose(cut.probabilities, whole.probabilities[early], rtol=1e-4, atol=1e-6)

    def test_renaming_instruments_changes_nothing(self) -> None:
        train, valid, test = self.views()
        inputs = test.inputs()
        new = tuple(f"RENAMED{k}.Y" for k, _ in enumerate(inputs.table.instruments))
        train_new = replace(train, table=replace(train.table, instruments=new))
        valid_new = replace(valid, table=replace(valid.table, instruments=new))
        inputs_new = replace(inputs, table=replace(inputs.table, instruments=new))
        plain = self.make().fit(train, valid).predict(inputs)
        other = self.make().fit(train_new, valid_new).predict(inputs_new)
        assert (plain.quantiles == other.quantiles).all()
        assert (plain.probabilities == other.probabilities).all()

    def test_an_instrument_never_seen_gets_a_forecast(self) -> None:
        model, inputs = self._fitted()
        unseen = tuple(f"UNSEEN{k}.Y" for k, _ in enumerate(inputs.table.instruments))
        forecast = model.predict(replace(inputs, table=replace(inputs.table, instruments=unseen)))
        assert np.isfinite(forecast.quantiles).all()

    def test_rows_without_history_or_features_get_a_forecast(self) -> None:
        model, inputs = self._fitted()
        table = replace(inputs.table, features=np.full_like(inputs.table.features, np.nan))
        forecast = model.predict(Inputs(table, np.unique(table.first), inputs.horizon))
        assert np.isfinite(forecast.quantiles).all()

    def test_labels_are_not_read_by_predict(self) -> None:
        train, valid, test = self.views()
        model = self.make().fit(train, valid)
        lied = replace(valid, labels=replace(valid.labels, value=np.full(len(valid), np.nan)))
        assert _bits(model.predict(lied)) == _bits(model.predict(valid))
        assert _bits(model.predict(test)) == _bits(model.predict(test.inputs()))

    def test_inputs_are_left_alone(self) -> None:
        train, valid, test = self.views()
        before = content_hash([train, valid, test.inputs()])
        self.make().fit(train, valid).predict(test.inputs())
        assert content_hash([train, valid, test.inputs()]) == before

    def test_test_is_refused_by_fit(self) -> None:
        train, valid, test = self.views()
        wrong: Any = test
        _refused(lambda: self.make().fit(wrong, valid), "train: got 'Test'; a forecaster never learns from Test")
        _refused(lambda: self.make().fit(train, wrong), "valid: got 'Test'; a forecaster never learns from Test")

    def test_unfitted_models_neither_predict_nor_save(self) -> None:
        _, _, test = self.views()
        _refused(lambda: self.make().predict(test.inputs()), "it is not fitted")
        _refused(lambda: self.make().save(Path("nowhere")), "it is not fitted")

    def test_parameters_make_a_round_trip(self) -> None:
        model = self.make()
        twin = type(model)(**model.get_params())
        assert twin.get_params() == model.get_params()
        assert not twin.fitted
        _refused(lambda: type(model)(no_such_parameter=1), "no_such_parameter")


def _bits(forecast: Forecast) -> str:
    return content_hash([forecast.quantiles, forecast.probabilities])


def _refused(call: Callable[[], object], message: str) -> None:
    said = "nothing: it was not refused"
    try:
        call()
    except InputError as error:
        said = str(error)
    assert message in said, f"expected {message!r}, got {said!r}"
