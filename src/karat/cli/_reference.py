"""The reference page of the command, from the command itself: `python -m karat.cli._reference > docs/reference/cli.md`.

Invariant: every verb, argument and option of the tree is on the page, in the order of the tree.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final

from typer.main import get_command

from karat.cli._app import app

_HEAD: Final = """# The command

Written from the command itself by `python -m karat.cli._reference`; do not edit by hand.

Results go to standard output, progress, warnings and errors to standard error. With `--json` standard output is one
JSON object, for an error too. Every verb takes `--json`, `--debug` (the traceback of an error) and `--help`. Nothing
asks a question, nothing uses the network. Where `karat` is not on the path, `python -m karat` is the same.

| exit code | meaning |
|---|---|
| 0 | done; a completed verdict of any kind is 0 |
| 1 | the answer is no: `verify`, `reproduce`, `run --require`, `guard`, `features check`, `data verify`, `data check` |
| 2 | wrong input: a word, a file, a key, a value, or data that broke a rule |
| 3 | broken environment: a library, the disk, the installation, a fault of the program |
| 130 | interrupted; the message is the command that resumes |

A value of a study comes from `--set path=value`, else from the environment (`KARAT__SPLITS__TEST_FRAC=0.4` is
`splits.test_frac`), else from the file, else from the defaults; `karat config show` says which. The workspace comes
from `--workspace`, else from `KARAT_WORKSPACE`, else it is `./workspace`.
"""
_COMMON: Final = {"json", "debug", "help"}


def reference() -> str:
    """Return the page."""
    return _HEAD + "".join(f"\n{section}\n" for section in _sections(get_command(app), "karat"))


def _sections(command: Any, path: str) -> Iterator[str]:
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from _sections(inner, f"{path} {name}")
        else:
            yield "\n".join(_section(inner, f"{path} {name}"))


def _section(command: Any, path: str) -> Iterator[str]:
    own = [item for item in command.params if item.name not in _COMMON]
    arguments = [item for item in own if item.param_type_name == "argument"]
    words = [_word(item) if item.required else f"[{_word(item)}]" for item in arguments]
    yield f"## {' '.join([path, *words])}"
    yield ""
    yield str(command.help).strip()
    if own:
        yield ""
        yield "| word | meaning |"
        yield "|---|---|"
        for item in own:
            yield f"| {_names(item)} | {_meaning(item)} |"


def _names(item: Any) -> str:
    if item.param_type_name == "argument":
        return f"`{_word(item)}`"
    return ", ".join(f"`{name}`" for name in (*item.opts, *item.secondary_opts))


def _word(item: Any) -> str:
    return str(item.name).upper()


def _meaning(item: Any) -> str:
    text = str(item.help or "").strip()
    if item.param_type_name == "option" and item.required:
        return f"{text} Required."
    if item.default not in (None, False, ""):
        return f"{text} Default: `{item.opts[0] if item.secondary_opts else item.default}`."
    return text


if __name__ == "__main__":
    sys.stdout.write(reference())
