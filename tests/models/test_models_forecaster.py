"""The base class: what `fit` and `predict` refuse, and what they leave behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from karat.core import InputError
from karat.data import Inputs, Labels
from karat.models import create, load_model
from karat.models.contract import planted_views

TRAIN, VALID, TEST = planted_views(rows=200, width=3)


def test_views_that_do_not_match_are_refused() -> None:
    with pytest.raises(InputError) as error:
        create("ewma").fit(TRAIN, replace(VALID, horizon="5d"))
    assert str(error.value) == "valid: got '5d, 3 features'; allowed: horizon 1d and the features of train"


def test_an_empty_view_is_refused() -> None:
    none = np.zeros(0, dtype=np.int64)
    empty = replace(VALID, rows=none, labels=Labels(np.zeros(0), none, none))
    with pytest.raises(InputError) as error:
        create("ewma").fit(TRAIN, empty)
    assert str(error.value) == "valid: got 'no rows'; allowed: at least one row; load more data or use fewer folds"


@pytest.mark.parametrize("values", [np.full(len(TRAIN), np.nan), np.zeros(3)])
def test_labels_that_are_missing_are_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError) as error:
        create("ewma").fit(replace(TRAIN, labels=replace(TRAIN.labels, value=values)), VALID)
    assert str(error.value) == ("train.labels: got 'NaN or too few'; allowed: one finite return a row; drop such rows")


def test_train_and_valid_are_not_interchangeable() -> None:
    with pytest.raises(InputError, match="train: got 'Valid'; allowed: Train"):
        create("ewma").fit(VALID, VALID)  # type: ignore[arg-type]


def test_predict_refuses_what_it_was_not_fitted_for() -> None:
    model = create("ewma").fit(TRAIN, VALID)
    with pytest.raises(InputError, match="inputs: got 'Table'; allowed: Inputs, Train, Valid or Test"):
        model.predict(TEST.table)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"inputs.horizon: got '5d'; allowed: 1d; fit one model a horizon"):
        model.predict(replace(TEST.inputs(), horizon="5d"))
    renamed = replace(TEST.table, names=("a", "b", "c"))
    with pytest.raises(InputError, match=r"inputs.features: got .*'a', 'b', 'c'.*; allowed: noise_0, noise_1, signal"):
        model.predict(Inputs(renamed, TEST.rows, "1d"))


def test_a_failed_fit_leaves_no_fitted_model() -> None:
    model = create("ewma").fit(TRAIN, VALID)
    assert model.fitted
    with pytest.raises(InputError):
        model.fit(TRAIN, VALID.__class__(VALID.table, VALID.rows, "5d", VALID.labels))
    assert model.fitted  # refused before anything was touched
    assert not model.set_params(decay=0.5).fitted


def test_no_forecast_lies_below_a_total_loss() -> None:
    wild = replace(TRAIN, labels=replace(TRAIN.labels, value=50.0 * TRAIN.labels.value))
    forecast = create("ewma").fit(wild, VALID).predict(TEST.inputs())
    assert forecast.quantiles.min() == -1.0


def test_a_model_is_loaded_by_its_own_class(tmp_path: Path) -> None:
    create("ewma").fit(TRAIN, VALID).save(tmp_path)
    assert load_model(tmp_path).get_params() == {"seed": 42, "decay": 0.94}
    with pytest.raises(InputError, match="it holds the model ewma; allowed: climatology"):
        type(create("climatology")).load(tmp_path)
