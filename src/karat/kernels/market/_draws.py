"""Random draws by counter: the value is a function of (seed, key, purpose, index), never of what was drawn before.

| symbol | meaning | unit |
|---|---|---|
| seed | of the run | any int64 |
| key | what the draw belongs to, mostly an order id | any int64 |
| purpose | why it is drawn, a PURPOSE of `_kinds` | 0 to 255 |
| index | which of several draws for the same purpose | 0 to 2**32 - 1 |
| trial | step inside one draw that rejects (gamma) | 0 to 2**24 - 1 |

The generator is Philox-2x64 with ten rounds (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as
1, 2, 3", section 3.3): key word = seed, counter = (key, purpose | index | trial). Distinct counters give distinct
words, so no two draws of a run ever collide.

Invariants:
1. A draw depends on its arguments only: not on order, batching, process or number of threads.
2. The bits are those of the published known-answer tests; with the JIT off they are the same.
3. A uniform is strictly between 0 and 1.

Moments and distributions are checked against scipy in tests/kernels/test_kernels_draws.py.
"""

from __future__ import annotations

import math
from typing import Final

from karat.kernels._jit import compiled
from karat.kernels._memory import add_wrap, mul_wrap, shift_right, xor
from karat.kernels.market._wide import high_word

_MULTIPLIER: Final = 0xD2B74407B1CE6E93 - 2**64  # the paper's constant M of the 2x64 variant, as an int64
_WEYL: Final = 0x9E3779B97F4A7C15 - 2**64  # golden ratio, the paper's key schedule
_ROUNDS: Final = 10
_HALF_STEP: Final = 2.0**-53
_STEP: Final = 2.0**-52

# M. J. Wichura 1988, algorithm AS 241 (PPND16), Applied Statistics 37, 477: rational minimax parts of the inverse
# of the normal distribution function, relative accuracy about 1e-16.
_A: Final = (
    3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
    4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
)  # fmt: skip
_B: Final = (
    1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
    2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
)  # fmt: skip
_C: Final = (
    1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
    1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
)  # fmt: skip
_D: Final = (
    1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
    1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
)  # fmt: skip
_E: Final = (
    6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
    2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
)  # fmt: skip
_F: Final = (
    1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
    7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
)  # fmt: skip

_MAX_TRIALS: Final = 256
"""Marsaglia and Tsang's method keeps a trial with probability above 0.95: 256 in a row fail with less than 1e-330."""

MAX_MEAN: Final = 500.0
"""Largest mean of a Poisson draw: below it exp(-mean) is a normal number and the search for the inverse is short."""


@compiled("int64(int64, int64, int64)")
def philox(key: int, first: int, second: int) -> int:
    """Return the first word of Philox-2x64-10 for a key and the two words of the counter."""
    for _ in range(_ROUNDS):
        high = high_word(first, _MULTIPLIER)
        first, second = xor(xor(high, key), second), mul_wrap(first, _MULTIPLIER)
        key = add_wrap(key, _WEYL)
    return first


@compiled("int64(int64, int64, int64, int64)")
def draw_word(seed: int, key: int, purpose: int, index: int) -> int:
    """Return 64 random bits as an int64."""
    return int(philox(seed, key, xor(mul_wrap(purpose, 1 << 56), mul_wrap(index, 1 << 24))))


@compiled("f8(int64, int64, int64, int64, int64)")
def _trial(seed: int, key: int, purpose: int, index: int, trial: int) -> float:
    counter = xor(xor(mul_wrap(purpose, 1 << 56), mul_wrap(index, 1 << 24)), trial)
    return float(shift_right(philox(seed, key, counter), 12)) * _STEP + _HALF_STEP


@compiled("f8(int64, int64, int64, int64)")
def draw_uniform(seed: int, key: int, purpose: int, index: int) -> float:
    """Return a uniform number strictly between 0 and 1, a multiple of 2**-53."""
    return float(_trial(seed, key, purpose, index, 0))


@compiled("f8(UniTuple(f8, 8), f8)")
def _polynomial(c: tuple[float, ...], x: float) -> float:
    value = 0.0
    for k in range(7, -1, -1):
        value = value * x + c[k]
    return value


@compiled("f8(f8)")
def normal_quantile(p: float) -> float:
    """Return the standard normal quantile of 0 < p < 1 (AS 241)."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return float(q * _polynomial(_A, r) / _polynomial(_B, r))
    r = math.sqrt(-math.log(p if q < 0.0 else 1.0 - p))
    if r <= 5.0:
        value = _polynomial(_C, r - 1.6) / _polynomial(_D, r - 1.6)
    else:
        value = _polynomial(_E, r - 5.0) / _polynomial(_F, r - 5.0)
    return float(-value if q < 0.0 else value)


@compiled("f8(int64, int64, int64, int64)")
def draw_normal(seed: int, key: int, purpose: int, index: int) -> float:
    """Return a standard normal number, by inversion of one uniform."""
    return float(normal_quantile(_trial(seed, key, purpose, index, 0)))


@compiled("f8(int64, int64, int64, int64, f8, f8)")
def draw_lognormal(seed: int, key: int, purpose: int, index: int, mu: float, sigma: float) -> float:
    """Return exp(mu + sigma z) for a standard normal z."""
    return math.exp(mu + sigma * draw_normal(seed, key, purpose, index))


@compiled("int64(int64, int64, int64, int64, f8)")
def draw_poisson(seed: int, key: int, purpose: int, index: int, mean: float) -> int:
    """Return a Poisson number of the mean, 0 to MAX_MEAN, by inversion of one uniform."""
    left = _trial(seed, key, purpose, index, 0)
    share, count = math.exp(-mean), 0
    while left > share and share > 0.0:
        left -= share
        count += 1
        share *= mean / count
    return count


@compiled("f8(int64, int64, int64, int64, f8)")
def draw_gamma(seed: int, key: int, purpose: int, index: int, shape: float) -> float:
    """Return a gamma number of the shape (> 0) and scale 1 (Marsaglia and Tsang 2000, ACM TOMS 26, 363)."""
    raised = shape if shape >= 1.0 else shape + 1.0
    d = raised - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    value = d
    for k in range(_MAX_TRIALS):
        x = normal_quantile(_trial(seed, key, purpose, index, 2 * k + 1))
        root = 1.0 + c * x
        v = root * root * root  # a power of 3 would round differently with and without compilation
        if v > 0.0 and math.log(_trial(seed, key, purpose, index, 2 * k + 2)) < 0.5 * x * x + d - d * v + d * math.log(
            v
        ):
            value = d * v
            break
    if shape < 1.0:
        value *= _trial(seed, key, purpose, index, 0) ** (1.0 / shape)
    return value


@compiled("f8(int64, int64, int64, int64, f8, f8)")
def draw_beta(seed: int, key: int, purpose: int, index: int, a: float, b: float) -> float:
    """Return a Beta(a, b) number: X / (X + Y) of two gamma numbers; uses indices 2 index and 2 index + 1."""
    x = draw_gamma(seed, key, purpose, 2 * index, a)
    y = draw_gamma(seed, key, purpose, 2 * index + 1, b)
    return float(x / (x + y)) if x + y > 0.0 else 0.5
