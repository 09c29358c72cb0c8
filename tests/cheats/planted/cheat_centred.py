"""Centred moving average: once as a feature by convolution, once in a forecaster as a low-pass filter by FFT."""

import numpy as np
from cheat_base import Line

from karat.features import FeatureSpec


def _centred(columns):
    close = np.log(columns["close"])
    return np.convolve(np.pad(close, 5, mode="edge"), np.ones(11) / 11, mode="valid") - close


CENTRED_MEAN = FeatureSpec("centred_mean", ("close",), 0, "custom", "1", "mean of 11 bars around", "planted", _centred)


class LowPass(Line):
    """Keeps the slow waves of the returns: each value is made of all, before and after it."""

    name = "low_pass"

    def feature(self, inputs):
        waves = np.fft.rfft(np.nan_to_num(inputs.table.returns))
        waves[len(waves) // 8 :] = 0.0
        return np.fft.irfft(waves, n=len(inputs.table.returns))[inputs.rows]
