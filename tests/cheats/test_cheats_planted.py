"""Ten ways to cheat, each built twice: every one makes the verdict invalid, and the check that should names it."""

from __future__ import annotations

from collections import Counter

import pytest
from cheats_table import CHEATS, Cheat
from study_factory import World


def failed(world: World, changes: dict[str, object]) -> tuple[str, list[str]]:
    """Return the verdict of the small study with changes, and the checks of gate 0 that failed."""
    result = world.run(**changes)
    checks = result.manifest["verdict"]["gates"][0]["checks"]
    return result.verdict, [check["name"] for check in checks if check["passed"] is False]


def test_there_are_ten_cheats_and_each_is_built_twice() -> None:
    counted = Counter(cheat.title for cheat in CHEATS)
    assert len(counted) == 10
    assert set(counted.values()) == {2}


@pytest.mark.req("EVAL-09")
@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: "-".join(cheat.plugins))
def test_a_cheat_is_caught_by_the_check_that_should(cheat: Cheat, quick: World, planted: None) -> None:
    verdict, checks = failed(quick, cheat.study())
    assert verdict == "invalid"
    assert cheat.check in checks
