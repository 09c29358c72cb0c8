"""The examples of other tools: karat's run of the page has the fills that the tools gave, and the tools give them.

`peers.json` was written by `told` below: what vectorbt and hftbacktest gave for the code on the page; ORIGIN_PEERS.md
has versions and date. With KARAT_PEERS naming a Python that has both, `pytest -m peers` runs them again.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karat.kernels.market import layout as at

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "other-tools.md").read_text(encoding="utf-8")
GOLDEN = ROOT / "tests" / "golden" / "market" / "peers.json"
ANSWER = """
import json
def orders(made):
    return [[int(o["idx"]), int(o["side"]), float(o["size"]), float(o["price"])] for o in made.orders.values]
def told(made):
    return {"fills": orders(made), "final": float(made.value().iloc[-1])}
print(json.dumps({"vectorbt": {"next_open": told(next_open), "same_close": told(same_close)},
    "hftbacktest": {"fills": sorted(fills.tolist()), "totals": [float(value) for value in totals]}}))
"""


def blocks() -> tuple[list[str], list[str]]:
    """Return the page's blocks of karat, and those of the other tools."""
    ours = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    theirs = re.findall(r"(?:^(?: {4}.*)?\n)+", re.sub(r"```.*?```", "", PAGE, flags=re.S), re.M)
    return ours, ["\n".join(line[4:] for line in block.splitlines()) for block in theirs if block.strip()]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What karat's blocks leave behind, with the folder they ran in."""
    folder = tmp_path_factory.mktemp("page")
    space: dict[str, Any] = {"__name__": "page", "folder": folder}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for block in blocks()[0]:
            exec(compile(block, "other-tools.md", "exec"), space)
            if "quantities" in space:  # the later blocks use the same names for other runs
                space.setdefault("crossing", (space["run"], space["next_open"], space["same_close"]))
    finally:
        os.chdir(before)
    return space


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(json.loads(GOLDEN.read_text(encoding="utf-8")))


def test_vectorbt_has_the_same_fills(page: dict[str, Any], golden: dict[str, Any]) -> None:
    run, next_open, same_close = page["crossing"]
    for name, panel in (("next_open", next_open), ("same_close", same_close)):
        fills, told = panel.run.records, golden["vectorbt"][name]
        theirs = [(row, -size if side else size, price) for row, side, size, price in told["fills"]]
        ours = zip(fills.row.tolist(), panel.fills["quantity"].to_list(), panel.fills["price"].to_list(), strict=True)
        assert list(ours) == theirs
        assert panel.equity_usd[-1] == pytest.approx(told["final"], abs=1e-6)
    market = zip(run.fills["price"].to_list(), run.fills["side"].to_list(), strict=True)
    told = golden["vectorbt"]["next_open"]["fills"]
    assert list(market) == [(price, "sell" if side else "buy") for _, side, _, price in told]
    assert len(told) == 51


def test_hftbacktest_has_the_same_fills(page: dict[str, Any], golden: dict[str, Any]) -> None:
    run, told = page["run"], golden["hftbacktest"]
    ours = run.fill_rows[:, [at.F_TS, at.F_ID, at.F_PRICE]]
    assert sorted(ours.tolist()) == told["fills"]
    trades, position, fee = told["totals"]
    assert (len(ours), run.positions["quantity"][0]) == (trades, position) == (137, -15)
    assert float(run.money["USD"]["charges"]) == pytest.approx(fee, abs=1e-9)


def test_another_fill_is_noticed(page: dict[str, Any], golden: dict[str, Any]) -> None:
    """The planted fault: one fill of the other tool a nanosecond later."""
    fills = np.array(golden["hftbacktest"]["fills"])
    fills[70, 0] += 1
    with pytest.raises(AssertionError):
        test_hftbacktest_has_the_same_fills(page, {"hftbacktest": golden["hftbacktest"] | {"fills": fills.tolist()}})


def told(folder: Path, python: str) -> dict[str, Any]:
    """Return what the other tools give for the page's code, in a folder in which karat's blocks have run."""
    ours, theirs = blocks()
    script = folder / "peers.py"
    script.write_text("\n".join([ours[0], *theirs, ANSWER]), encoding="utf-8")
    done = subprocess.run(
        [python, "-W", "ignore", script.name], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.peers
def test_the_other_tools_give_what_is_stored(page: dict[str, Any], golden: dict[str, Any]) -> None:
    python = os.environ.get("KARAT_PEERS")
    assert python, "KARAT_PEERS must name the Python of the peers' own environment"
    assert told(page["folder"], python) == golden
