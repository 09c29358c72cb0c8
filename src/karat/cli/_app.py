"""The command's tree. Only typer is imported here, so that help answers at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from karat.cli import (
    _calibrate,
    _config,
    _data,
    _dataset,
    _doctor,
    _features,
    _forward,
    _guard,
    _regimes,
    _simulate,
    _study,
)
from karat.cli._output import errors

app = typer.Typer(
    name="karat",
    help="Market data to forecasts, a verdict on their edge, and a report that says why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        from karat import __version__

        sys.stdout.write(f"karat {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command("run")(_study.run)
app.command("demo")(_study.demo)
app.command("report")(_study.report)
app.command("reproduce")(_study.reproduce)
app.command("freeze")(_forward.freeze)
app.command("forward")(_forward.forward)
app.command("verify")(_study.verify)
app.command("trials")(_study.trials)
app.command("calibrate")(_calibrate.calibrate)
app.command("guard")(_guard.guard)
app.command("simulate")(_simulate.simulate)
app.command("doctor")(_doctor.doctor)
_data.app.command("build")(_dataset.build)
app.add_typer(_data.app, name="data", help="Look at sources, check data, keep it in the catalog.")
app.add_typer(_features.app, name="features", help="List, show, build and check features.")
app.add_typer(_regimes.app, name="regimes", help="List, show and label market regimes.")
app.add_typer(_config.app, name="config", help="Show a study with every default; print its schema.")


def main() -> None:
    """Run the command."""
    with errors(as_json=False, debug=False):  # what goes wrong before a verb is reached
        app()
