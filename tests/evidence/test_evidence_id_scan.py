"""The scanner of static ids in source: every form it must see, every form that only routes."""

from __future__ import annotations

import time

import pytest

from karat.core import InputError
from karat.evidence import scan_source

CAUGHT = {
    "features['id'] = row.puzzle_id": "attribute",
    "x = np.c_[x, frame['symbol']]": "key",
    "x = frame.with_columns(pl.col('ticker').cast(int))": "key",
    "x = getattr(view, 'instrument')": "key",
    "x = features + [instrument]": "name",
    "name = view.instrument\nx = stack(x, name)": "alias",
    "names = np.asarray(view.instrument)\nfirst = names\nx = stack(first)": "alias",
    "for name in table.instruments:\n    x = x + lengths[name]": "alias",
    "x = pd.get_dummies(view.instrument)": "one-hot",
    "name = view.symbol\nx = pd.get_dummies(name)": "one-hot",
    "x = OneHotEncoder().fit_transform(encoder(one_hot(row.symbol)))": "one-hot",
    "layer = nn.Embedding(len(table.instruments), 8)": "embedding",
    "x = LabelEncoder(view.symbol)": "code",
    "x = np.searchsorted(names, frame['instrument'])": "code",
    "x = hash(row['isin']) % 7": "hash",
    "x = inputs.table.code": "attribute",
    "def f(view):\n    async def g():\n        return view.symbol": "attribute",
    "x: int = row['cusip']": "key",
}
ROUTING = [
    "log.info('bar of %s', row.symbol)",
    "raise ValueError(f'no price for {row.symbol}')",
    "x = frame.group_by('instrument').mean()",
    "x = frame.sort('instrument', 'ts')",
    "x = pl.col('close').diff().over('instrument')",
    "x = left.join(right, on=['instrument', 'ts'])",
    "print(row.symbol)",
    "x = response.code",
    "x = 'the instrument is unknown'",
    "name = view.instrument  # id: one GARCH an instrument",
    "name = 3\nx = name",
]


@pytest.mark.req("EVAL-01")
@pytest.mark.parametrize("text", CAUGHT)
def test_a_planted_identity_is_caught_in_every_form(text: str) -> None:
    assert CAUGHT[text] in {hit.form for hit in scan_source(text, "planted.py")}


@pytest.mark.req("EVAL-01")
@pytest.mark.parametrize("text", ROUTING)
def test_routing_logging_and_errors_are_no_hits(text: str) -> None:
    assert scan_source(text, "clean.py") == []


def test_an_alias_ends_where_it_is_assigned_anew() -> None:
    hits = scan_source("name = view.symbol\nname = 3\nx = stack(name)", "a.py")
    assert [(hit.line, hit.form) for hit in hits] == [(1, "attribute")]


def test_the_allow_list_names_a_file_or_a_function() -> None:
    text = "def route(view):\n    return view.symbol\n\ndef learn(view):\n    return view.symbol"
    assert [hit.function for hit in scan_source(text, "a.py")] == ["route", "learn"]
    assert [hit.function for hit in scan_source(text, "a.py", allow={"a.py::route"})] == ["learn"]
    assert scan_source(text, "a.py", allow={"a.py"}) == []
    assert len(scan_source(text, "b.py", allow={"a.py"})) == 2


def test_source_that_does_not_parse_is_refused() -> None:
    with pytest.raises(InputError, match=r"source: got 'a.py'; line 1 does not parse"):
        scan_source("def f(:", "a.py")


def test_ten_thousand_lines_take_less_than_thirty_seconds() -> None:
    text = "\n".join(f"x{k} = f(x{k - 1}) + {k}" for k in range(10_000))
    started = time.monotonic()
    assert scan_source(text, "long.py") == []
    assert time.monotonic() - started < 30
