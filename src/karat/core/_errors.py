"""The one error tree of karat, and the sentence form every message follows.

    KaratError
    ├── InputError            a bad argument, file or option: field, value seen, allowed, why, fix        (exit 2)
    │   ├── ConfigError       one or more problems in a study file, all reported at once                  (exit 2)
    │   ├── DataError         data that broke a rule: table, rule, seen, rows, remedy                     (exit 2)
    │   ├── MarketStopped     a faulty row stopped a simulation; `partial` holds what came before it        (exit 2)
    │   └── RangeError        a number left the range in which its quantum is exact: field, quantum, when (exit 2)
    ├── LeakageError          a guard proved that the future reached the past                             (exit 2)
    ├── LedgerError           the ledger was edited, cut, or cannot be written: names the first bad entry (exit 1)
    ├── EnvironmentProblem    something of the machine or installation is missing                         (exit 3)
    │   └── MissingExtraError an optional library is not installed: names the extra                       (exit 3)
    └── Interrupted           stopped by the user; says how to resume                                     (exit 130)

Invariants:
1. Every message names the field, the value seen, what is allowed and what to do about it.
2. `to_dict()` holds the same facts for `--json`.
3. An error that crosses to another process arrives as it was raised.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from karat._words import counted

_SHOWN_ROWS = 5
_LISTED = 40  # names that a message lists in full; of more, the nearest
_NEAREST = 8
_KEPT = 2000  # of a value's repr, for machine-readable output


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name closest to `name`, or None when nothing is close."""
    found = difflib.get_close_matches(str(name), [str(item) for item in allowed], n=1, cutoff=0.5)
    return found[0] if found else None


def _listed(value: object, allowed: Sequence[str]) -> str:
    names = [str(name) for name in allowed]
    if len(names) <= _LISTED:
        return ", ".join(names)
    near = difflib.get_close_matches(str(value), names, n=_NEAREST, cutoff=0.4)
    return f"{', '.join(near or names[:_NEAREST])}, ... ({len(names)} names)"


class KaratError(Exception):
    """Base of every error that karat raises on purpose."""

    exit_code = 2

    def to_dict(self) -> dict[str, object]:
        """Return the facts of the error for machine-readable output."""
        facts = {key: value for key, value in vars(self).items() if not key.startswith("_")}
        return {"error": type(self).__name__, "message": str(self), **facts}

    def __reduce__(self) -> tuple[object, ...]:
        # the default calls the class with the message alone, and a pool of workers breaks on that
        return _restore, (type(self), self.args, vars(self))


class InputError(KaratError):
    """A bad argument, option or file; `field`, `value`, `allowed` and `fix` are attributes.

    Example:
        >>> str(InputError("horizon", "weak", allowed=["1d", "2d", "3d", "5d", "week"]))
        "horizon: got 'weak'; allowed: 1d, 2d, 3d, 5d, week; did you mean 'week'?"
    """

    def __init__(
        self,
        field: str,
        value: object,
        *,
        allowed: Sequence[str] | str | None = None,
        why: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.field, self.value, self.why = field, shorten(value, _KEPT), why
        self.allowed = allowed if allowed is None or isinstance(allowed, str) else _listed(value, allowed)
        guess = None
        if isinstance(value, str) and allowed is not None and not isinstance(allowed, str):
            guess = nearest(value, allowed)
        self.fix = fix or (f"did you mean {guess!r}?" if guess else None)
        parts = [f"{field}: got {shorten(value)}"]
        parts += [why] if why else []
        parts += [f"allowed: {self.allowed}"] if self.allowed else []
        parts += [self.fix] if self.fix else []
        super().__init__("; ".join(parts))


class ConfigError(InputError):
    """All problems of one configuration file at once; `problems` holds a line for each."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        super().__init__(source, counted(len(problems), "problem"), fix="correct the lines below")
        self.problems = list(problems)

    def __str__(self) -> str:
        head = f"{self.field}: {counted(len(self.problems), 'problem')}"
        return "\n".join([head, *(f"  - {line}" for line in self.problems)])


class DataError(InputError):
    """Data that broke a rule; names table, rule, what was seen, offending rows and the remedy."""

    def __init__(self, table: str, rule: str, *, seen: object, rows: Sequence[object] = (), fix: str) -> None:
        shown = ", ".join(str(row) for row in rows[:_SHOWN_ROWS])
        more = f" (+{len(rows) - _SHOWN_ROWS} more)" if len(rows) > _SHOWN_ROWS else ""
        why = f"rule '{rule}' is broken" + (f" at {shown}{more}" if rows else "")
        super().__init__(table, seen, why=why, fix=fix)
        self.table, self.rule, self.rows = table, rule, [str(row) for row in rows]


class RangeError(InputError):
    """A number left the range in which whole numbers of its quantum are exact; `field` is the quantum to change."""


class MarketStopped(InputError):
    """A faulty row or a number out of range stopped a simulation; `partial` is its result up to that row."""

    def __init__(
        self, field: str, value: object, *, partial: object, why: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(field, value, why=why, fix=fix)
        self._partial = partial

    @property
    def partial(self) -> object:
        """What the simulation had done before the faulty row."""
        return self._partial


class LeakageError(KaratError):
    """A guard proved that a value depends on its future."""

    def __init__(self, what: str, evidence: str) -> None:
        super().__init__(f"{what} depends on the future: {evidence}; nothing after known_at may be read")
        self.what, self.evidence = what, evidence


class LedgerError(KaratError):
    """The ledger is not what was written; `first_bad` is the sequence number of the first bad entry, if known."""

    exit_code = 1

    def __init__(self, problem: str, *, first_bad: int | None = None, fix: str) -> None:
        where = "" if first_bad is None else f" (first bad entry: {first_bad})"
        super().__init__(f"ledger: {problem}{where}; {fix}")
        self.problem, self.first_bad, self.fix = problem, first_bad, fix


class EnvironmentProblem(KaratError):
    """Something of this machine or installation is missing or broken."""

    exit_code = 3


class MissingExtraError(EnvironmentProblem):
    """An optional library is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module}: not installed; it comes with the extra '{extra}': pip install 'karat[{extra}]'")
        self.module, self.extra = module, extra


class Interrupted(KaratError):
    """Stopped by the user; finished work is kept and `resume` is the command that goes on."""

    exit_code = 130

    def __init__(self, resume: str) -> None:
        super().__init__(f"interrupted; finished cells are kept; resume with: {resume}")
        self.resume = resume


def _restore(kind: type[KaratError], args: tuple[object, ...], facts: dict[str, object]) -> KaratError:
    error = kind.__new__(kind, *args)
    vars(error).update(facts)
    return error


def shorten(value: object, limit: int = 120) -> str:
    """Return the value as a message shows it: its repr, cut where it is long."""
    try:
        text = repr(value)
    except RecursionError:
        text = f"<{type(value).__name__}, nested too deeply to show>"
    return text if len(text) <= limit else text[: limit - 1] + "…"
