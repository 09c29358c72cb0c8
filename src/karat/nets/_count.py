"""Counting parameters, exactly and by component.

Invariants:
1. A parameter that is shared counts once, under the component that names it first.
2. Frozen parameters count; buffers do not.
"""

from __future__ import annotations

from torch.nn import Module


def count_parameters(module: Module) -> dict[str, int]:
    """Return component to number of parameters; a component is a direct child, or a parameter of the module itself."""
    counts: dict[str, int] = {}
    for name, weight in module.named_parameters(remove_duplicate=True):
        component = name.partition(".")[0]
        counts[component] = counts.get(component, 0) + weight.numel()
    return counts
