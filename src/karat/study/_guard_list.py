"""What every guard asks, by name: all that a listing needs, so that it loads nothing else."""

from typing import Final

QUESTIONS: Final = {
    "data": "was every value known when it says so, and who is missing?",
    "future": "can what happens later change what was computed?",
    "splits": "does a label span cross a cut?",
    "ids": "does anything tell instruments apart?",
    "labels": "do shuffled labels earn anything?",
    "shift": "do the judged rows look like the learned ones?",
    "forecaster": "does a fitted model read the future or a name?",
    "market": "were fills possible, and within the rules?",
    "determinism": "does a fresh process give the same bits?",
    "params": "is every network within its budget?",
}
"""Name of a guard to what it asks, in the order in which `all` runs them."""
