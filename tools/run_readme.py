"""Run every command that README.md shows in a `sh` block, in order; exit 1 at the first that fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIP = ("make run", "make test")  # CI runs these two as steps of their own


def commands() -> list[str]:
    """Return the commands of the README, comments and prompts removed."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def main() -> int:
    """Run them."""
    env = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    for command in commands():
        if command in SKIP:
            continue
        sys.stdout.write(f"$ {command}\n")
        sys.stdout.flush()
        done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=env, check=False, stdout=subprocess.DEVNULL)
        if done.returncode:
            sys.stderr.write(f"README: `{command}` ended with {done.returncode}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
