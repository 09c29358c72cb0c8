"""Content hashes: the same content gives the same SHA-256 in every process and on every run.

Invariants:
1. A hash depends on values, names and dtypes, never on object identity, dict order or time.
2. -0.0 and 0.0 hash alike, every NaN hashes alike.
3. File digests are computed in one streaming pass.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from karat.core._errors import InputError

_BLOCK = 1 << 20
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode


def content_hash(value: Any) -> str:
    """Return the SHA-256 hex digest of nested plain values, arrays, frames, records and torch tensors.

    Raises:
        InputError: a type whose content is not defined here (a function, an open file, …).

    Example:
        >>> content_hash({"a": 1, "b": [1.0]}) == content_hash({"b": [1.0], "a": 1})
        True
    """
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def file_digests(path: Path) -> tuple[str, str]:
    """Return (SHA-256, MD5) hex digests of a file's bytes."""
    sha, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            sha.update(block)
            md5.update(block)
    return sha.hexdigest(), md5.hexdigest()


def tree_hash(root: Path, pattern: str = "**/*.py") -> str:
    """Return the SHA-256 over the sorted relative paths and bytes of the files under `root` that match."""
    digest = hashlib.sha256()
    for path in sorted(item for item in root.glob(pattern) if item.is_file()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def canonical_json(value: Any, *, field: str = "value") -> str:
    """Return JSON with sorted keys, no spaces and no NaN: equal values give equal text.

    Raises:
        InputError: NaN, infinity, text that is no Unicode, or a type that JSON does not have.

    Example:
        >>> canonical_json({"b": 1.5, "a": [None, True]})
        '{"a":[null,true],"b":1.5}'
    """
    try:
        text = _encode(value)
        if not text.isascii():
            text.encode()  # a lone surrogate passes the encoder and could not be stored
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(field, value, allowed="JSON without NaN or infinity", why=str(error)) from None
    return text


def _feed(digest: Any, value: Any) -> None:
    if value is None or isinstance(value, bool | int | str | bytes | Path):
        data = value if isinstance(value, bytes) else str(value).encode()
        _write(digest, type(value).__name__ if not isinstance(value, Path) else "str", data)
    elif isinstance(value, float | np.ndarray | np.generic):
        _feed_array(digest, np.asarray(value))
    elif isinstance(value, dict):
        _write(digest, "dict", str(len(value)).encode())
        for key in sorted(value, key=str):
            _feed(digest, str(key))
            _feed(digest, value[key])
    elif isinstance(value, list | tuple):
        _write(digest, "list", str(len(value)).encode())
        for item in value:
            _feed(digest, item)
    elif isinstance(value, set | frozenset):
        _feed(digest, sorted(value, key=str))
    elif isinstance(value, dt.date | dt.time | dt.timedelta | Decimal):
        _write(digest, type(value).__name__, str(value).encode())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _feed(digest, {field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    else:
        _feed_foreign(digest, value)


def _feed_foreign(digest: Any, value: Any) -> None:
    """Hash library objects by what they offer, so that core imports none of those libraries."""
    if hasattr(value, "model_dump"):
        _feed(digest, value.model_dump(mode="json"))
    elif hasattr(value, "detach") and hasattr(value, "cpu"):
        _feed_array(digest, value.detach().cpu().numpy())
    elif hasattr(value, "get_columns"):
        _write(digest, "frame", str(len(value)).encode())
        for column in value.get_columns():
            _feed(digest, column.name)
            _feed(digest, str(column.dtype))
            _feed_column(digest, column)
    else:
        raise InputError("value", type(value).__name__, allowed="plain values, arrays, frames, records, tensors")


def _feed_column(digest: Any, column: Any) -> None:
    if column.dtype.is_numeric() and column.null_count() == 0:
        _feed_array(digest, column.to_numpy())
    elif str(column.dtype) == "String" and column.null_count() == 0:
        _feed_texts(digest, column.to_list())
    else:
        _feed(digest, column.to_list())


def _feed_texts(digest: Any, values: list[str]) -> None:
    """Hash a list of text as `_feed` would, encoding each distinct text once: a panel repeats a few names."""
    _write(digest, "list", str(len(values)).encode())
    known = {text: b"str:%d:%b" % (len(raw := text.encode()), raw) for text in set(values)}
    digest.update(b"".join(map(known.__getitem__, values)))


def _feed_array(digest: Any, array: np.ndarray) -> None:
    if array.dtype.kind in "OUS":
        _write(digest, "text", str(array.shape).encode())
        for item in array.ravel().tolist():
            _feed(digest, item)
        return
    if array.dtype.kind in "fc":
        array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array + np.array(0.0, array.dtype))
    _write(digest, f"{array.dtype.str}{array.shape}", np.ascontiguousarray(array).tobytes())


def _write(digest: Any, kind: str, data: bytes) -> None:
    digest.update(f"{kind}:{len(data)}:".encode())
    digest.update(data)
