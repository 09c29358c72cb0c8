"""Compile every Python file of the repository in memory; exit 1 and name the file and line of a syntax error."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", action="store_true", help="print failures only")
    parser.add_argument("paths", nargs="*", type=Path, help="files to check; all tracked Python files without it")
    options = parser.parse_args()
    failures = 0
    for path in options.paths or _tracked():
        try:
            compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)
        except (SyntaxError, UnicodeDecodeError) as error:
            failures += 1
            sys.stderr.write(f"{path}: {error}\n")
        else:
            if not options.quiet:
                sys.stdout.write(f"{path}: ok\n")
    return 1 if failures else 0


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "*.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


if __name__ == "__main__":
    sys.exit(main())
