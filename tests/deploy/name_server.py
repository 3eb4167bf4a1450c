"""A name server as Docker's: gives the addresses of a service's containers that run now, in any order."""

import random
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

_HEADER = struct.Struct("!HHHHHH")
_ANSWER = struct.Struct("!HHHIH")
_NO_SUCH_NAME = 3


class NameServer:
    """Answers A questions over UDP, on its own thread; `names` may change while it runs."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self._names = names
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            question, sender = self._socket.recvfrom(512)
            if not question:
                return
            self._socket.sendto(self._answer(question), sender)

    def _answer(self, question: bytes) -> bytes:
        name, at = [], _HEADER.size
        while length := question[at]:
            name.append(question[at + 1 : at + 1 + length].decode())
            at += 1 + length
        asked = question[_HEADER.size : at + 5]
        found = list(self._names.get(".".join(name), ()))
        random.shuffle(found)
        flags = 0x8180 | (0 if found else _NO_SUCH_NAME)
        (number,) = struct.unpack_from("!H", question)
        records = b"".join(_ANSWER.pack(0xC00C, 1, 1, 1, 4) + socket.inet_aton(address) for address in found)
        return _HEADER.pack(number, flags, 1, len(found), 0, 0) + asked + records

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()
