"""Read frames from a channel that does not block."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from rewardkit.isolation.forkserver import LENGTH

__all__ = ["FrameReader", "Malformed"]

_RECEIVE_BYTES = 1 << 18


class Malformed(Exception):
    """The other side said what it never says; somebody else may be speaking in its place."""


class FrameReader:
    """What has arrived on a channel, frame by frame.

    Args:
        channel: A socket that does not block.
        most: Length of a payload, in bytes, at most.
    """

    def __init__(self, channel: socket.socket, most: int) -> None:
        self._channel = channel
        self._most = most
        self._received = bytearray()

    def payloads(self) -> Iterator[bytes]:
        """Yield the payloads that have arrived. Ends with EOFError when the other side has closed the channel.

        Raises:
            Malformed: If a payload is longer than allowed, or empty.
        """
        while True:
            try:
                piece = self._channel.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                raise EOFError from None
            if not piece:
                raise EOFError
            self._received += piece
            yield from self._complete()
            if len(piece) < _RECEIVE_BYTES:
                return

    def _complete(self) -> Iterator[bytes]:
        received, start = self._received, 0
        while len(received) - start >= LENGTH.size:
            (size,) = LENGTH.unpack_from(received, start)
            if not 0 < size <= self._most:
                raise Malformed(f"a frame of {size:,} bytes")
            end = start + LENGTH.size + size
            if len(received) < end:
                break
            yield bytes(received[start + LENGTH.size : end])
            start = end
        del received[:start]
