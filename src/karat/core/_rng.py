"""Randomness: one seam. Streams are derived from (seed, names), so adding a consumer never shifts another's draws.

Invariants:
1. `generator(seed, *names)` depends on its arguments only, not on call order or process.
2. `set_all_seeds` sets Python, NumPy's legacy state, torch and CUDA, and asks torch for deterministic kernels.
3. `validate_determinism` compares content hashes, not floats within a tolerance.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from karat.core._errors import InputError
from karat.core._hashing import content_hash


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return an independent Philox stream for (seed, names).

    Example:
        >>> bool(generator(1, "a").random() == generator(1, "a").random())
        True
    """
    text = "\x1f".join([str(int(seed)), *map(str, names)])
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.Philox(key=key))


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a 31-bit seed for libraries that take an integer, derived like `generator`."""
    return int(generator(seed, *names).integers(0, 2**31 - 1))


def set_all_seeds(seed: int = 42) -> None:
    """Seed Python, NumPy and, where torch is loaded or installed, torch on CPU and CUDA.

    Raises:
        InputError: a seed outside 0 to 2**32 - 1.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise InputError("seed", seed, allowed="an integer from 0 to 4294967295")
    random.seed(seed)
    np.random.seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch = sys.modules.get("torch") or _optional("torch")
    if torch is not None:
        torch.manual_seed(seed)  # the CPU and every CUDA device, also those that are first used later
        # the same as use_deterministic_algorithms(True), without importing the compiler (0.95 s of CPU, measured)
        torch.set_deterministic_debug_mode("error")
        torch.backends.cudnn.benchmark = False


def validate_determinism(fn: Callable[[Any], Any], data: Any, n_runs: int = 3, *, seed: int = 42) -> bool:
    """Return whether `fn(data)` gives the same content hash `n_runs` times, each run after `set_all_seeds(seed)`.

    Raises:
        InputError: fewer than two runs.
    """
    if n_runs < 2:
        raise InputError("n_runs", n_runs, allowed="2 or more", why="one run cannot differ from itself")
    hashes = set()
    for _ in range(n_runs):
        set_all_seeds(seed)
        hashes.add(content_hash(fn(data)))
    return len(hashes) == 1


def _optional(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        return None
