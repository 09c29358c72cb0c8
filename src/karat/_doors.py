"""A door that loads a name when it is first asked for, so that a list of names costs no data frame and no compiler."""

import sys
import typing
from collections.abc import Callable, Mapping
from importlib import import_module


def on_demand(package: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], typing.Any]:
    """Return the `__getattr__` of a package. homes: its modules and the names that the package offers of each.

    Raises:
        AttributeError: from what is returned, for a name that the package does not offer.

    Example:
        >>> on_demand("karat.data", {"_panel": ("KEYS", "OHLCV")})("KEYS")
        ('ts', 'known_at', 'instrument')
    """
    home = {name: module for module, names in homes.items() for name in names}

    def load(name: str) -> typing.Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it offers {', '.join(sorted(home))}")
        value = getattr(import_module(f"{package}.{home[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
