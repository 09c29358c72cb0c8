"""The command's tree. Only typer is imported here, so that help answers at once."""

from __future__ import annotations

import logging
import re
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

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
from karat.cli._output import errors, say


class _Verbs(TyperGroup):
    """The verbs; they look first whether the shell took a value of `--set` apart at its spaces."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was typed."""
        for option, value, following in zip(ctx.args, ctx.args[1:], ctx.args[2:]):
            still_open = len(re.findall(r"[\[{]", value)) > len(re.findall(r"[\]}]", value))
            if option == "--set" and still_open and not following.startswith("-"):
                fix = "quote a value with spaces: --set 'joins=[{name: week, bars: week}]'"
                raise typer.BadParameter(f"got '{value}', whose brackets are not closed; {fix}", param_hint="--set")
        return super().invoke(ctx)


app = typer.Typer(
    name="karat",
    cls=_Verbs,
    help="Market data to forecasts, a verdict on their edge, and a report that says why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: frames and colours take as long to load as all the rest of a help
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


for _verb, _short in (
    (_study.run, "Run a study to its verdict and report."),
    (_study.demo, "Run the quick start that ships inside karat."),
    (_study.report, "Write a run's report again and print its path."),
    (_study.reproduce, "Run a recorded study again and compare."),
    (_forward.freeze, "Freeze the selection of a run."),
    (_forward.forward, "Score a frozen selection on later days."),
    (_study.verify, "Check every hash and count of the ledger."),
    (_study.trials, "List every trial and family of the ledger."),
    (_calibrate.calibrate, "Measure how often the verdict is wrong."),
    (_guard.guard, "Prove on a study that nothing leaks."),
    (_simulate.simulate, "Simulate orders on bars, quotes, trades or books."),
    (_doctor.doctor, "Check Python, packages, disk, clock and ledger."),
):
    app.command(_verb.__name__, short_help=_short)(_verb)
_data.app.command("build")(_dataset.build)
app.add_typer(_data.app, name="data", help="Look at sources, check data, keep it in the catalog.")
app.add_typer(_features.app, name="features", help="List, show, build and check features.")
app.add_typer(_regimes.app, name="regimes", help="List, show and label market regimes.")
app.add_typer(_config.app, name="config", help="Show a study with every default; print its schema.")


class _Aloud(logging.Handler):
    """Says what the kernels announce: that they are compiled, which takes seconds."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message to stderr."""
        say(record.getMessage())


def main() -> None:
    """Run the command."""
    kernels = logging.getLogger("karat.kernels")
    kernels.setLevel(logging.INFO)
    kernels.addHandler(_Aloud())
    with errors(as_json=False, debug=False):  # what goes wrong before a verb is reached
        app(prog_name="karat")
