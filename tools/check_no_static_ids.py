"""Scan a code base for static ids: `python tools/check_no_static_ids.py FOLDER [--allow file::function ...]`.

Prints every place where an instrument's identity may become a number, and exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from karat._words import counted
from karat.study import scan_for_static_ids


def main() -> int:
    """Scan and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--allow", nargs="*", default=[], help="file, or file::function, in which mentions only route")
    options = parser.parse_args()
    hits = scan_for_static_ids(options.folder, dict.fromkeys(options.allow, "given on the command line"))
    for hit in hits:
        print(hit)
    print(counted(len(hits), "hit"))
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main())
