"""`Param` and the constructor: defaults, bounds, and messages that are made from them."""

from __future__ import annotations

import pytest

from karat.core import InputError
from karat.models import MODELS, Param, create


@pytest.mark.parametrize("name", MODELS)
def test_every_bound_of_every_model_is_enforced(name: str) -> None:
    kind = MODELS[name]
    for key, param in kind.PARAMS.items():
        assert kind(**{key: param.default}).params[key] == param.default
        if isinstance(param.default, bool):
            wrong: list[object] = [1, "true", None]
        elif isinstance(param.default, int):
            wrong = [param.low - 1, param.high + 1, 1.5, True, "3"]
        else:
            wrong = [param.low - 1.0, param.high + 1.0, float("nan"), False, None]
        for value in wrong:
            with pytest.raises(InputError) as error:
                kind(**{key: value})
            assert str(error.value) == f"{name}.{key}: got {value!r}; allowed: {param.allowed}"


def test_a_whole_number_is_a_number_and_not_the_reverse() -> None:
    assert create("lightgbm", {"learning_rate": 1}).params["learning_rate"] == 1.0
    with pytest.raises(InputError, match="allowed: a whole number from 1 to 10000"):
        create("lightgbm", {"rounds": 20.0})


def test_texts_have_choices() -> None:
    param = Param("a", choices=("alpha", "beta"))
    assert param.check("x", "beta") == "beta"
    with pytest.raises(InputError, match=r"x: got 'betta'; allowed: alpha, beta; did you mean 'beta'?"):
        param.check("x", "betta")
    assert Param("a").allowed == "text"


def test_an_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(InputError) as error:
        create("ewma", {"decya": 0.9})
    assert str(error.value) == "ewma parameter: got 'decya'; allowed: decay; did you mean 'decay'?"
    with pytest.raises(InputError) as error:
        create("garch_t", {"order": 1})
    assert str(error.value) == "garch_t parameter: got 'order'; garch_t takes no parameters"


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, "1"])
def test_seeds_are_whole_numbers(seed: object) -> None:
    with pytest.raises(InputError, match=r"seed: got .*; allowed: a whole number from 0 to 4294967295"):
        MODELS["ewma"](seed=seed)  # type: ignore[arg-type]


def test_patch_and_heads_have_to_fit() -> None:
    with pytest.raises(InputError, match=r"patch_transformer.patch: got 9; allowed: up to lookback=8"):
        create("patch_transformer", {"lookback": 8, "patch": 9})
    with pytest.raises(InputError, match=r"patch_transformer.heads: got 5; allowed: a divisor of d_model=32"):
        create("patch_transformer", {"heads": 5})


def test_set_params_unfits_where_something_changed() -> None:
    model = create("ewma", seed=3)
    assert model.set_params(decay=0.9) is model
    assert model.get_params() == {"seed": 3, "decay": 0.9}
    with pytest.raises(InputError, match=r"ewma.decay"):
        model.set_params(decay=2.0)
    assert model.get_params() == {"seed": 3, "decay": 0.9}
