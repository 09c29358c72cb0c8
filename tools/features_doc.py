"""Write docs/reference/features.md and the page of each family from the registry. `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from karat.features import dictionary_pages

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"


def stale(folder: Path = FOLDER) -> list[str]:
    """Return the pages that are missing, differ from the registry, or are of a family that is no more."""
    pages = dictionary_pages()
    there = {path.name for path in folder.glob("features-*.md")}
    differing = [
        name
        for name, text in pages.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]
    return sorted([*differing, *(there - set(pages))])


def write(folder: Path = FOLDER) -> None:
    """Write every page and take away those of families that are no more."""
    pages = dictionary_pages()
    for name in stale(folder):
        if name in pages:
            (folder / name).write_text(pages[name], encoding="utf-8")
        else:
            (folder / name).unlink()


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say which are out of date."""
    if "--check" not in arguments:
        write()
        return 0
    old = stale()
    if old:
        sys.stderr.write(f"out of date: {', '.join(old)}; run python tools/features_doc.py\n")
    return int(bool(old))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
