"""What every registered regime must hold, generated from the registry, and the faults that these tests must see.

Numbers are the invariants of `karat.features.regimes._model`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cffi
import numpy as np
import polars as pl
import pytest
from regimes_factory import PROVENANCE, bars, panel

from karat.core import NS_PER_DAY, DataError, InputError
from karat.data import Panel
from karat.features import check_future
from karat.features._spec import Floats
from karat.features.regimes import REGIMES, Refits, RegimeModel, as_train, label, make_regime
from karat.features.regimes._bytes import pack, unpack
from karat.features.regimes._hidden import HiddenStates
from karat.features.regimes._labeller import Ints, State
from karat.features.regimes._neural import NeuralStates
from karat.kernels import smooth_states

N, TRAIN = 1000, 850
SHORT = Refits(first=700, every=120)


@pytest.fixture(autouse=True)
def _short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests ask does not depend on how much was learned: short panels keep them quick."""
    monkeypatch.setattr(NeuralStates, "least", 300)


def ways(name: str) -> Iterator[dict[str, Any]]:
    """Settings of a system: fitted on `Train`, refitted where a short panel reaches it, and bands with memory."""
    yield {"refits": None}
    if REGIMES[name].refits:
        yield {"refits": SHORT}
    if REGIMES[name].bands:
        yield {"refits": SHORT, "bands": [(level - 0.05, level + 0.05) for level in REGIMES[name].bands]}


def fitted(name: str, made_of: Panel) -> RegimeModel:
    until = int(made_of.frame["ts"][TRAIN - 1])
    return make_regime(name, refits=None).fit(as_train(made_of, until))


def models(name: str, made_of: Panel) -> Iterator[RegimeModel]:
    """One of each way, with a fit where it has none of its own."""
    for given in ways(name):
        yield make_regime(name, **given) if given["refits"] else fitted(name, made_of)


def stepped(model: RegimeModel, frame: pl.DataFrame) -> tuple[list[int], list[float]]:
    labels = [model.step(row["ts"], row) for row in frame.iter_rows(named=True)]
    return [each.code for each in labels], [each.probability for each in labels]


def rows_of(model: RegimeModel) -> Any:
    def compute(frame: pl.DataFrame) -> Floats:
        codes, probabilities = model.filter(Panel(frame, "XNYS", PROVENANCE))
        return np.column_stack([np.where(codes < 0, np.nan, codes), probabilities])

    return compute


@pytest.mark.req("REG-01", "REG-02")
@pytest.mark.parametrize("name", list(REGIMES))
def test_1_no_registered_regime_reads_the_future(name: str) -> None:
    made_of = panel(N)
    ts = made_of.frame["ts"].to_numpy()
    for model in models(name, made_of):
        report = check_future(
            made_of.frame, rows_of(model), ["state", "probability"], instants=[int(ts[k]) for k in (870, 905, 950)]
        )
        assert report.passed, report.evidence
        assert report.worst == 0.0


@pytest.mark.parametrize("name", list(REGIMES))
def test_2_online_equals_batch(name: str) -> None:
    made_of = panel(N)
    for model in models(name, made_of):
        codes, probabilities = model.filter(made_of)
        assert (
            len(set(codes[codes >= 0].tolist())) >= 2 or np.nanstd(probabilities) > 0
        )  # there is something to compare
        model.reset()
        online, chances = stepped(model, made_of.frame)
        assert online == codes.tolist()
        np.testing.assert_allclose(chances, probabilities, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", list(REGIMES))
def test_2_online_equals_batch_after_five_thousand_bars_and_a_restart(name: str) -> None:
    """With the refits that the system has by itself; the neural one learns from the first bars."""
    made_of, n = panel(5_200), 5_200
    model = make_regime(name)
    if not REGIMES[name].follows_past:
        model.fit(as_train(made_of, int(made_of.frame["ts"][TRAIN - 1])))
    codes, probabilities = model.filter(made_of)
    model.reset()
    first, early = stepped(model, made_of.frame[: n // 2])
    again = make_regime(name).load(model.save())
    second, late = stepped(again, made_of.frame[n // 2 :])
    assert first + second == codes.tolist()
    np.testing.assert_allclose(early + late, probabilities, rtol=1e-12, atol=0)
    assert len(set(codes[5_000:].tolist())) >= 2 or np.nanstd(probabilities[5_000:]) > 0


@pytest.mark.req("REG-05")
@pytest.mark.parametrize("name", list(REGIMES))
def test_a_step_parses_no_type_of_a_call_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than all the rest of a step."""
    model, frame = fitted(name, panel(N)), panel(N).frame[TRAIN:]
    stepped(model, frame[:40])  # beyond the warm-up: each kernel was called once

    def parser() -> None:
        raise AssertionError("a step made another parser of C")

    monkeypatch.setattr(cffi, "FFI", parser)
    stepped(model, frame[40:])


@pytest.mark.parametrize("name", list(REGIMES))
def test_3_a_restart_from_bytes_goes_on_to_the_bit(name: str) -> None:
    made_of = panel(N)
    for given, model in zip(ways(name), models(name, made_of), strict=True):
        codes, probabilities = model.filter(made_of)
        for cut in (3, 860, 950):  # during the warm-up, in the middle, after a refit
            model.reset()
            stepped(model, made_of.frame[:cut])
            again = make_regime(name, **given).load(model.save())
            online, chances = stepped(again, made_of.frame[cut:])
            assert online == codes[cut:].tolist()
            np.testing.assert_array_equal(chances, probabilities[cut:])


@pytest.mark.parametrize("name", list(REGIMES))
def test_4_rows_with_holes_are_skipped(name: str) -> None:
    made_of = panel(N)
    hole = np.arange(N) % 97 == 50
    columns = REGIMES[name].measure.columns
    frame = made_of.frame.with_columns(
        pl.when(pl.Series(hole)).then(None).otherwise(pl.col(columns[0])).alias(columns[0])
    )
    model = fitted(name, made_of)
    codes, _ = model.filter(Panel(frame, "XNYS", PROVENANCE))
    assert (codes[hole] == -1).all()
    kept, _ = model.filter(Panel(made_of.frame.filter(~pl.Series(hole)), "XNYS", PROVENANCE))
    np.testing.assert_array_equal(codes[~hole], kept)


@pytest.mark.req("REG-01")
@pytest.mark.parametrize("name", list(REGIMES))
def test_same_input_same_labels_and_bytes(name: str) -> None:
    made_of = panel(N)
    first, second = (fitted(name, made_of) for _ in range(2))
    assert first.save() == second.save()
    np.testing.assert_array_equal(first.filter(made_of)[0], second.filter(made_of)[0])


@pytest.mark.parametrize("name", list(REGIMES))
def test_later_rows_change_no_fit(name: str) -> None:
    past, other = bars(N), bars(N, seed=9)
    mixed = Panel(pl.concat([past[:TRAIN], other[TRAIN:]]), "XNYS", PROVENANCE)
    assert fitted(name, mixed).save() == fitted(name, panel(N)).save()


@pytest.mark.parametrize("name", list(REGIMES))
def test_prices_that_stand_still_give_no_error(name: str) -> None:
    frame = panel(N).frame.with_columns(
        [
            pl.when(pl.int_range(pl.len()) > 880).then(pl.lit(50.0)).otherwise(pl.col(c)).alias(c)
            for c in ("close", "high", "low")
        ]
    )
    made_of = Panel(
        frame.with_columns(volume=pl.when(pl.int_range(pl.len()) > 940).then(0.0).otherwise("volume")),
        "XNYS",
        PROVENANCE,
    )
    for model in models(name, made_of):
        codes, _ = model.filter(made_of)
        assert codes.min() >= -1
        assert codes.max() < len(model.states)


@pytest.mark.req("REG-02")
@pytest.mark.parametrize("name", list(REGIMES))
def test_instruments_do_not_mix(name: str) -> None:
    both = panel(N, instruments=("A.XNYS", "B.XNYS"))
    until = int(both.frame["ts"][TRAIN - 1])
    whole = label(both, name, train_until=until, refits=None).frame
    for instrument in both.instruments:
        alone = Panel(both.frame.filter(instrument=instrument), "XNYS", PROVENANCE)
        assert whole.filter(instrument=instrument).equals(label(alone, name, train_until=until, refits=None).frame)
    assert whole["state"].drop_nulls().len() > 200


@pytest.mark.parametrize("name", list(REGIMES))
def test_a_missing_column_is_named_with_where_it_can_be_had(name: str) -> None:
    missing = REGIMES[name].measure.columns[-1]
    lacking = panel(N, without=(missing,))
    model = fitted(name, panel(N))
    with pytest.raises(InputError, match=f"panel: got .*{missing} is missing; .*{missing}: "):
        model.filter(lacking)
    with pytest.raises(InputError, match=f"row: got .* reads it; allowed: with {missing}"):
        model.step(10**18 * 2, {c: 1.0 for c in REGIMES[name].measure.columns if c != missing})


@pytest.mark.req("REG-02")
def test_a_row_known_after_a_later_one_is_refused() -> None:
    """The state of the later row would read a close that nobody knew when it was given."""
    made_of = panel(N, instruments=("A.XNYS", "B.XNYS"))
    late = pl.int_range(pl.len()).over("instrument") == 690
    delayed = pl.when(late).then(pl.col("known_at") + 30 * NS_PER_DAY).otherwise("known_at")
    moved = Panel(made_of.frame.with_columns(known_at=delayed), "XNYS", PROVENANCE)
    ts = int(made_of.frame["ts"][691])
    told = f"rule 'known_at never runs back within an instrument' is broken at A.XNYS@{ts}; correct known_at"
    for name in (name for name in REGIMES if name != "vix"):  # whose state reads no row but its own
        with pytest.raises(DataError, match=told):
            label(moved, name, train_until=int(made_of.frame["ts"][600]))
    assert label(moved, "vix").frame["state"].equals(label(made_of, "vix").frame["state"])


@pytest.mark.req("REG-02")
@pytest.mark.parametrize("name", [name for name, spec in REGIMES.items() if spec.refits])
def test_rows_of_the_table_after_those_fitted_on_are_labelled_as_new_ones(name: str) -> None:
    """A view may hold a few rows of a long table: refits begin after the last row of the view."""
    made_of, refits = panel(N), Refits(first=300, every=120)
    short = as_train(made_of, int(made_of.frame["ts"][599]))
    long = replace(as_train(made_of, int(made_of.frame["ts"][-1])), rows=short.rows)
    of_short, of_long = (make_regime(name, refits=refits).fit(train) for train in (short, long))
    assert of_long.save() == of_short.save()
    codes, _ = of_long.filter(made_of)
    np.testing.assert_array_equal(codes, of_short.filter(made_of)[0])
    assert (codes[600:] >= 0).all()


class SmoothedStates(HiddenStates):
    """The planted fault: labels from all rows, the later ones too, as libraries' `predict_proba` gives them."""

    def scan(self, x: Floats) -> tuple[Ints, Floats]:
        gamma = smooth_states(x, self.model)
        return gamma.argmax(axis=1), gamma.max(axis=1)


def test_a_smoothed_posterior_is_caught() -> None:
    made_of = panel(N)
    spec = REGIMES["hidden"]
    model = RegimeModel("hidden", spec.measure, SmoothedStates(42), None)
    model.fit(as_train(made_of, int(made_of.frame["ts"][TRAIN - 1])))
    instants = [int(made_of.frame["ts"][k]) for k in (870, 905, 950)]
    report = check_future(made_of.frame, rows_of(model), ["state", "probability"], instants=instants)
    assert not report.passed
    assert "probability" in report.offending
    _, probabilities = model.filter(made_of)
    model.reset()
    _, chances = stepped(model, made_of.frame)
    assert not np.allclose(chances, probabilities, equal_nan=True)


class ForgetfulStates(HiddenStates):
    """Another planted fault: what was filtered so far is not saved."""

    def state(self) -> State:
        return {**super().state(), "filtered": np.empty(0)}


def test_a_state_that_is_not_saved_whole_is_caught() -> None:
    made_of, spec = panel(N), REGIMES["hidden"]
    train = as_train(made_of, int(made_of.frame["ts"][TRAIN - 1]))
    model = RegimeModel("hidden", spec.measure, ForgetfulStates(42), None).fit(train)
    _, probabilities = model.filter(made_of)
    model.reset()
    stepped(model, made_of.frame[:860])
    again = RegimeModel("hidden", spec.measure, ForgetfulStates(42), None).load(model.save())
    _, chances = stepped(again, made_of.frame[860:])
    assert not np.array_equal(chances, probabilities[860:])


def test_bands_of_the_whole_sample_are_caught() -> None:
    """The other planted fault: quantiles that know the end of the series."""
    made_of = panel(N)

    def compute(frame: pl.DataFrame) -> Floats:
        whole = Panel(frame, "XNYS", PROVENANCE)
        codes = label(whole, "volatility", train_until=int(frame["ts"][-1]), refits=None).frame["state"]
        return codes.cast(pl.Float64).fill_null(np.nan).to_numpy()[:, None]

    report = check_future(made_of.frame, compute, ["state"], instants=[int(made_of.frame["ts"][870])])
    assert report.offending == ("state",)


def test_bytes_of_another_regime_or_none_are_refused() -> None:
    saved = fitted("volatility", panel(N)).save()
    with pytest.raises(
        DataError, match="got 'volatility'; rule 'saved for liquidity' is broken; load it into make_regime"
    ):
        make_regime("liquidity").load(saved)
    with pytest.raises(DataError, match=r"bytes that save\(\) wrote"):
        make_regime("volatility").load(saved[:40])


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("volatility", {"refits": None}, r"got .*refits.*None.*; rule 'saved with .*refits.*\[700, 120\]"),
        ("volatility", {"refits": SHORT, "bands": (0.3, 0.6)}, "got .*bands.*0.3.*; rule 'saved with .*bands.*0.5"),
        ("hidden", {"refits": SHORT, "seed": 7}, "got .*seed.*7.*; rule 'saved with .*seed.*42"),
    ],
)
def test_bytes_of_other_refits_bands_or_seed_are_refused(name: str, given: dict[str, Any], told: str) -> None:
    """They would go on under rules under which they were not made."""
    saved = make_regime(name, **given).save()
    with pytest.raises(DataError, match=f"regime: {told}.*; load it into a model of the same settings"):
        make_regime(name, refits=SHORT).load(saved)
    make_regime(name, **given).load(saved)


@pytest.mark.parametrize("name", list(REGIMES))
def test_bytes_without_one_of_their_arrays_are_refused_and_change_nothing(name: str) -> None:
    model = fitted(name, panel(N))
    saved = model.save()
    arrays, facts = unpack(saved, name)
    for lost in arrays:
        rest = {each: value for each, value in arrays.items() if each != lost}
        with pytest.raises(DataError, match=f"got 'without {lost}'; rule 'every array that was saved' is broken"):
            model.load(pack(name, rest, facts))
    assert model.save() == saved


def test_bytes_of_an_earlier_format_are_refused() -> None:
    old = make_regime("volatility").save().replace(b"karat.regime.3", b"karat.regime.2")
    with pytest.raises(DataError, match="got 'karat.regime.2'; .*'saved in the format karat.regime.3' .* save the reg"):
        make_regime("volatility").load(old)


@pytest.mark.parametrize("name", list(REGIMES))
def test_a_loaded_model_filters_later_rows_and_refuses_those_that_it_has_seen(name: str) -> None:
    made_of = panel(N)
    model = fitted(name, made_of)
    codes, probabilities = model.filter(made_of)
    model.reset()
    stepped(model, made_of.frame[:900])
    again = make_regime(name, refits=None).load(model.save())
    for _ in range(2):  # from the saved state each time
        found = again.filter(Panel(made_of.frame[900:], "XNYS", PROVENANCE))
        np.testing.assert_array_equal(found, (codes[900:], probabilities[900:]))
    told = "panel: got '2002-.*; what was loaded has seen rows up to then; allowed: rows after 2005-.*; filter the rows"
    with pytest.raises(InputError, match=told):
        again.filter(made_of)
