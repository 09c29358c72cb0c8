"""Saved models: exact, without code, and refused where a byte was changed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from karat.core import DataError, InputError
from karat.models import State, create, load_model
from karat.models._state import read_card, read_state, write_state
from karat.models.contract import planted_views


def test_arrays_values_and_texts_come_back_exactly(tmp_path: Path) -> None:
    state = State(
        {"a": np.array([0.1, np.nextafter(1.0, 2.0)]), "b": np.arange(3)},
        {"pi": 3.141592653589793, "names": {"x": 1}},
        {"tree": "one\r\ntwo\n"},
    )
    write_state(tmp_path / "deep" / "model", {"model": "m"}, state)
    card = read_card(tmp_path / "deep" / "model")
    again = read_state(tmp_path / "deep" / "model", card)
    assert all((again.arrays[key] == value).all() for key, value in state.arrays.items())
    assert (again.values, again.texts) == (state.values, state.texts)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    train, valid, _ = planted_views(rows=200, width=3)
    for name in ("one", "two"):
        create("lightgbm", {"rounds": 3}).fit(train, valid).save(tmp_path / name)
    files = sorted(item.name for item in (tmp_path / "one").iterdir())
    assert files == ["model.json", "shift.txt", "stretch.txt", "weights.safetensors"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("name", ["weights.safetensors", "shift.txt"])
def test_a_changed_or_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    train, valid, _ = planted_views(rows=200, width=3)
    create("lightgbm", {"rounds": 3}).fit(train, valid).save(tmp_path)
    path = tmp_path / name
    whole = bytearray(path.read_bytes())
    whole[-2] ^= 1
    path.write_bytes(bytes(whole))
    with pytest.raises(
        DataError,
        match=f"model: got '[0-9a-f]{{64}}'; rule 'files equal their recorded SHA-256' is broken at {name}; fit",
    ):
        load_model(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="model: got 'no such file'; rule 'files equal"):
        load_model(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"it has no model.json; give a folder that `save` wrote"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"model: got 'Expecting property name.*'; rule 'model.json is JSON' is broken; fit"
    ):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"format": 99}), encoding="utf-8")
    with pytest.raises(DataError, match=r"model: got 99; rule 'model.json has format 1' is broken; fit"):
        load_model(tmp_path)


def test_a_card_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x", encoding="utf-8")
    write_state(tmp_path / "model", {"model": "ewma"}, State(texts={"inner": "x"}))
    card = read_card(tmp_path / "model")
    card["files"] = {"../secret.txt": card["files"]["inner.txt"]}
    with pytest.raises(DataError, match="model: got 'no such file'; rule 'files equal"):
        read_state(tmp_path / "model", card)
