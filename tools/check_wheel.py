"""Install the built wheel beside the locked libraries, without a clone in sight, and run what a newcomer would."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NEEDED = ("karat/constraints.txt", "karat/study/quickstart.yaml", "karat/py.typed")


def main() -> int:
    """Check the wheel's content, then the installed command."""
    wheel = max(Path(sys.argv[1]).glob("karat-*.whl"), key=lambda path: path.stat().st_mtime)
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [name for name in NEEDED if name not in names]
    if missing:
        sys.stderr.write(f"{wheel.name} lacks {', '.join(missing)}\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "site"
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
        subprocess.run(install, check=True)
        env = {**os.environ, "PYTHONPATH": str(target), "KARAT_WORKSPACE": str(Path(folder) / "workspace")}
        place = subprocess.run(
            [sys.executable, "-c", "import karat; print(karat.__file__)"],
            env=env, cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        if str(target) not in place.stdout:
            sys.stderr.write(f"the wheel is not what runs: {place.stdout}\n")
            return 1
        demo = [sys.executable, "-m", "karat", "demo", "--json"]
        done = subprocess.run(demo, env=env, cwd=folder, check=False, stdout=subprocess.DEVNULL)
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
