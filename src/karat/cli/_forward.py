"""freeze and forward: a selection put away with its hash, and tested on the days that come after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from karat._words import counted
from karat.cli._options import Debug, Json, Run, WorkspaceDir, named
from karat.cli._output import emit
from karat.cli._place import recorded_run
from karat.cli._progress import ProgressReporter


def freeze(
    run: Run,
    days: Annotated[
        int | None, typer.Option(help="Forward days on which it will be tested, once; 252 unless named, 126 or more.")
    ] = None,
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Freeze the selection of a run: models, maps, configuration and the forward test, by hash, in the ledger."""
    with recorded_run(run, workspace, as_json=json, debug=debug) as (result, place):
        from karat.core import iso
        from karat.evidence import USUAL_DAYS
        from karat.study import freeze as put_away

        asked = USUAL_DAYS if days is None else days
        with ProgressReporter() as progress:
            found = put_away(result, place, days=asked, progress=progress)
        facts, test = found.to_dict(), found.test
        text = (
            f"frozen:  {facts['selected']} of run {found.run_id}\nat:      {iso(found.entry.ts_ns)}\n"
            f"models:  {facts['model_hash']}\ndata to: {iso(facts['known_ns'])}\n"
            f"test:    the first {counted(test.days, 'forward day')}, p <= {test.level:.4g} for skill and for money;"
            f" freeze {test.rank} of its family\nnext:    karat forward {found.run_id}, when there are later days"
        )
        emit(facts, text, as_json=json)


def forward(
    run: Run,
    data: Annotated[
        list[str] | None,
        typer.Option(help="A parameter of the study's source that changed, e.g. path=prices.csv; may be repeated."),
    ] = None,
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Score a frozen selection on the days after its freeze, record each once, and print where it stands."""
    with recorded_run(run, workspace, as_json=json, debug=debug) as (result, place):
        from karat.study import forward as score_forward

        given = _parameters(data or ())
        with ProgressReporter() as progress:
            outcome = score_forward(result, place, data=given, progress=progress)
        facts = outcome.to_dict()
        first, last = facts["first_and_last"]
        text = f"forward days: {len(outcome.days)}, {outcome.new} of them new, {first} to {last}\n{outcome.found.text}"
        emit(facts, text, as_json=json)


def _parameters(words: Sequence[str]) -> dict[str, Any]:
    import yaml

    from karat.core import InputError

    found = {}
    for word in words:
        name, value = named("--data", word, "name=value, e.g. path=prices.csv")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError("--data", word, allowed="a value as YAML writes it") from None
    return found
