"""Bring the loopback of this (new, empty) network namespace up, then become the given command.

unshare -rn python3 tools/offline.py make test
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys

_SET_FLAGS, _UP_RUNNING = 0x8914, 0x1 | 0x40  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING of Linux

if __name__ == "__main__":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("16sh", b"lo", _UP_RUNNING))
    os.execvp(sys.argv[1], sys.argv[1:])
