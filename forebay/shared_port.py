"""Sockets of one port, one for each process that shares it: the kernel spreads connections over them."""

import os
import socket

from forebay.listener import CannotListen, bind
from forebay.settings import host_and_port


def listen(address: str, processes: int) -> list[list[socket.socket]]:
    """For each process its sockets, which take connections whether or not it accepts them yet. Raises CannotListen.

    Nobody else can have the port: it is bound alone before it is shared. Port 0 is any one, the same for all.
    """
    host, port = host_and_port(address)
    slots: list[list[socket.socket]] = []
    try:
        if port:
            for alone in bind(host, port):
                alone.close()
        for _ in range(processes):
            slots.append(bind(host, port, shared=True))
            port = slots[0][0].getsockname()[1]
    except OSError as error:
        for one in (each for slot in slots for each in slot):
            one.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CannotListen(
            f"cannot listen: address={address} error={reason}", hint="choose another with --web.listen-address"
        ) from error
    return slots
