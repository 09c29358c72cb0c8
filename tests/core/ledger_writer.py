"""A process that writes into a ledger until it is killed, and says on its output what was acknowledged.

Arguments: path of the ledger, seed. A line is `sequence hash`; a line that arrived whole was acknowledged before.
"""

import os
import sys

from karat.core import Entry, Ledger, generator


def say(entries: list[Entry]) -> None:
    # one write for all lines: nothing is buffered that a kill could lose
    os.write(1, "".join(f"{entry.seq} {entry.hash}\n" for entry in entries).encode())


def main(path: str, seed: int) -> None:
    rng = generator(seed, "writer")
    os.write(1, b"up\n")
    while True:
        with Ledger.open(path) as ledger:
            for _ in range(int(rng.integers(1, 40))):
                choice = rng.random()
                if choice < 0.6:
                    say([ledger.append("single", {"seed": seed, "text": "x" * int(rng.integers(0, 3000))})])
                elif choice < 0.8:
                    say([ledger.append_once(f"{seed}-{rng.integers(50)}", "once", {"seed": seed})])
                else:
                    numbers = ledger.extend(("batch", {"i": i}) for i in range(int(rng.integers(1, 400))))
                    say(list(ledger.entries(start=numbers[0])))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
