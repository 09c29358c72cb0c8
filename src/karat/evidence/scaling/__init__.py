"""Scaling laws: does the loss fall with scale, by which power, and how sure is that.

`fit_law` fits L = E + A / N^a + B / D^b (or fewer terms), `fit_scaling` adds intervals from resampled runs,
`compare_exponents` asks whether groups scale differently, `plot_scaling` draws it. Too few scales are refused with
what would be enough. That bigger is better is a question here and never an assumption: see `ScalingFit.seen`.
"""

from karat.evidence.scaling._enough import MIN_SCALES, MIN_SPAN
from karat.evidence.scaling._fit import fit_law
from karat.evidence.scaling._law import ScalingLaw
from karat.evidence.scaling._plots import plot_scaling
from karat.evidence.scaling._uncertainty import ExponentGap, ScalingFit, compare_exponents, fit_scaling

__all__ = [
    "MIN_SCALES",
    "MIN_SPAN",
    "ExponentGap",
    "ScalingFit",
    "ScalingLaw",
    "compare_exponents",
    "fit_law",
    "fit_scaling",
    "plot_scaling",
]
