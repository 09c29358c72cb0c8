"""The workspace: one folder with the ledger, the catalog, finished cells and runs.

The ledger and the catalog only grow; everything else can be made again from the sources.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from karat.core import InputError, nearest

DEFAULT = "workspace"


@dataclass(frozen=True)
class Workspace:
    """Paths below one root; folders are made when first asked for."""

    root: Path

    @classmethod
    def at(cls, root: str | Path | None = None) -> Workspace:
        """Return the workspace at `root`, else at KARAT_WORKSPACE, else at ./workspace."""
        path = Path(root or os.environ.get("KARAT_WORKSPACE") or DEFAULT)
        if path.exists() and not path.is_dir():
            raise InputError("workspace", str(path), why="it is a file", fix="name a folder")
        path.mkdir(parents=True, exist_ok=True)
        return cls(path.resolve())

    @property
    def ledger(self) -> Path:
        """The research ledger."""
        return self.root / "ledger.sqlite"

    @property
    def catalog(self) -> Path:
        """The content-addressed data catalog."""
        return self.root / "catalog"

    @property
    def cells(self) -> Path:
        """Finished cells, one folder each, named by address."""
        return self._folder("cells")

    @property
    def series(self) -> Path:
        """Stored trial series, named by trial id and content."""
        return self._folder("series")

    @property
    def prepared(self) -> Path:
        """Prepared features and labels, named by address."""
        return self._folder("prepared")

    @property
    def runs(self) -> Path:
        """Runs: report, results and run.json."""
        return self._folder("runs")

    @property
    def inputs(self) -> Path:
        """Tables that were handed over in memory, named by content."""
        return self._folder("inputs")

    @property
    def worlds(self) -> Path:
        """Finished worlds and campaigns of calibrations, named by address."""
        return self._folder("worlds")

    @property
    def frozen(self) -> Path:
        """Frozen selections, one folder each, named by run: models and maps, never written again."""
        return self._folder("frozen")

    @property
    def scratch(self) -> Path:
        """What is under way: nothing here outlives the command that made it, but for one that was killed."""
        return self._folder("scratch")

    def run(self, run_id: str) -> Path:
        """Return the folder of an existing run, by id, unique prefix or `latest`.

        Raises:
            InputError: no such run; names the nearest one.
        """
        names = sorted(item.name for item in self.runs.iterdir() if (item / "run.json").is_file())
        if run_id == "latest" and names:
            return max((self.runs / name for name in names), key=lambda item: (item / "run.json").stat().st_mtime_ns)
        matches = [name for name in names if name.startswith(run_id)] if run_id else []
        matches = [run_id] if run_id in matches else matches
        if len(matches) == 1:
            return self.runs / matches[0]
        near = nearest(run_id, names)
        why = "more than one run begins so" if matches else "no such run in this workspace"
        hint = f"did you mean {near}?" if near else f"runs here: {', '.join(names) or 'none; make one with karat run'}"
        raise InputError("run", run_id, why=why, fix=hint)

    def _folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path
