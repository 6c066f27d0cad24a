"""Process 1 of a container: it starts a fork server for each connection that the host hands it.

When the host closes its end, or dies, this process ends, and with it the container.
"""

from __future__ import annotations

import os
import socket
from typing import NoReturn

from referee.sandbox.inside import zygote

ADDRESS = "/run/referee/host.sock"


def main() -> NoReturn:
    """Connect to the host, and fork a server for each descriptor that it sends."""
    host = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    host.connect(ADDRESS)
    while True:
        data, descriptors, _, _ = socket.recv_fds(host, 64, 1)
        if not data:
            os._exit(0)
        if os.fork() == 0:
            host.close()
            os.dup2(descriptors[0], 0)
            os.close(descriptors[0])
            zygote.main()
        os.close(descriptors[0])
