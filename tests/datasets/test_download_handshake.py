"""A server that sends its part of a TLS handshake byte by byte: the time for it is limited."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fastmlp.datasets.download import DownloadError, download

# the head of a record of 16 KiB, in which a ServerHello of the same length begins
BEGINNING = bytes([22, 3, 3, 64, 0, 2, 0, 63, 252])


@pytest.fixture
def trickling(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that never comes to the end of its first message."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ended = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.sendall(BEGINNING)
                    while not ended.wait(0.01):
                        connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/file"
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("limit", ["timeout", "max_seconds"])
def test_a_slow_handshake_is_given_up(trickling: str, tmp_path: Path, limit: str) -> None:
    with pytest.raises(DownloadError, match="handshake operation timed out"):
        download(tmp_path / "file", [trickling], "", 100, rounds=1, **{limit: 0.2})
