"""Structured records of broken rules, as one JSON line each, through the standard logger `karat.data`.

A study's or the command's handlers decide where records go; without any, nothing is printed.
"""

from __future__ import annotations

import logging

import structlog

logging.getLogger("karat").addHandler(logging.NullHandler())

_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.JSONRenderer(sort_keys=True),
]


def log_violation(event: str, *, severity: str, **facts: object) -> None:
    """Write one record; `severity` is error or warning."""
    logger = structlog.wrap_logger(
        logging.getLogger("karat.data"), processors=_PROCESSORS, wrapper_class=structlog.stdlib.BoundLogger
    )
    write = logger.error if severity == "error" else logger.warning
    write(event, severity=severity, **facts)
