"""The real server, from the production command: slow, cut, huge and malformed requests."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask

from app.config import PROJECT, read_settings
from app.db import transaction
from tests.conftest import (
    Visitor,
    Zone,
    _seed,
    answers,
    dispose,
    make_app,
    migrate,
    snapshot,
    submissions,
)

HOST = "127.0.0.1"
PATIENCE = 30
IDLE_SECONDS = 2
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


@dataclass(frozen=True, slots=True)
class Server:
    """The running product, and an application beside it that sees the same database."""

    port: int
    pid: int
    app: Flask
    zone: Zone

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=PATIENCE)

    def ask(self, head: bytes, *parts: bytes) -> bytes:
        """Send a head and what follows it, and return everything that comes back."""
        with self.connect() as connection:
            send(connection, head, *parts)
            return receive(connection)

    def memory(self) -> int:
        """Return the most memory that the server ever held (bytes)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        return int(peak) * 1024


def send(connection: socket.socket, *parts: bytes) -> None:
    # The server may answer and close before it was sent everything: that is what is tested.
    try:
        for part in parts:
            connection.sendall(part)
    except (BrokenPipeError, ConnectionResetError):
        return


def receive(connection: socket.socket) -> bytes:
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


def head(line: str, **headers: object) -> bytes:
    fields = {"Host": HOST, "Connection": "close", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"{line} HTTP/1.1", *lines, "", ""]).encode()


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1."), f"no answer: {answer[:200]!r}"
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serving")
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    chosen = {"MINPING_INSTANCE": str(folder), "MINPING_BASE_URL": f"http://{HOST}:{port}"}
    settings = read_settings(chosen)
    migrate(settings)
    # Beside the server a second application reads what was stored; HSTS is the tests' own wish.
    app = make_app(replace(settings, base_url="https://localhost"))
    with app.app_context(), transaction() as session:
        world = _seed(session, settings.keys, password_hash)
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "serve"]
    command += ["--port", str(port), "--timeout", str(IDLE_SECONDS)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=PROJECT, env=environment(chosen), stdout=log, stderr=log
        )
        try:
            wait_until_healthy(port, process, folder / "log")
            yield Server(port, process.pid, app, world.here)
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)
            dispose(app)


def environment(chosen: Mapping[str, str]) -> dict[str, str]:
    ours = ("MINPING_", "TRUSTED_PROXIES", "DATABASE_URL", "REDIS_URL")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return {**inherited, **chosen}


def wait_until_healthy(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/healthz", timeout=5):
                return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text(encoding='utf-8')}")


def whole_form(server: Server, path: str) -> bytes:
    hidden = Visitor(server.app).open_form(path)
    return urlencode({**answers(), **hidden, "_end": "1"}, doseq=True).encode()


def test_a_whole_form_is_stored(server: Server) -> None:
    path = f"/s/{server.zone.codes[0]}"
    body = whole_form(server, path)
    kind = "application/x-www-form-urlencoded"
    sent = head(f"POST {path}", Content_Type=kind, Content_Length=len(body))
    assert status_of(server.ask(sent, body)) == 303
    assert len(submissions(server.app, server.zone.survey)) == 1


def test_slow_senders_hold_nobody_up_and_are_dropped(server: Server) -> None:
    sent = head(f"POST /s/{server.zone.codes[1]}", Content_Length=1000)
    with ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(150)]
        for each in slow:
            each.sendall(sent + b"q1=aware&")
        began = time.monotonic()
        for _ in range(10):
            assert status_of(server.ask(head(f"GET /s/{server.zone.codes[1]}"))) == 200
        assert time.monotonic() - began < 10 * 2
        assert [receive(each) for each in slow] == [b""] * 150


def test_a_slow_head_is_dropped_too(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        assert receive(connection) == b""


def test_a_body_that_was_cut_short_stores_nothing(server: Server) -> None:
    """The form arrived whole, and the sender said that there is more."""
    path = f"/s/{server.zone.codes[2]}"
    body, before = whole_form(server, path), snapshot(server.app)
    kind = "application/x-www-form-urlencoded"
    sent = head(f"POST {path}", Content_Type=kind, Content_Length=len(body) + 1)
    with server.connect() as connection:
        connection.sendall(sent + body)
        connection.shutdown(socket.SHUT_WR)
        assert receive(connection) == b""
    assert snapshot(server.app) == before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("megabytes", [10, 7], ids=["refused by the server", "by the page"])
def test_huge_bodies_are_refused_and_not_kept_in_memory(megabytes: int, server: Server) -> None:
    size = megabytes * 1_000_000
    sent = head(f"POST /s/{server.zone.codes[3]}", Content_Length=size)
    held, before = server.memory(), snapshot(server.app)
    part = b"x" * 100_000
    with ExitStack() as stack:
        senders = [stack.enter_context(server.connect()) for _ in range(20)]
        for each in senders:
            each.sendall(sent)
        for _ in range(size // len(part)):
            for each in senders:
                send(each, part)
        assert {status_of(receive(each)) for each in senders} == {413}
    assert server.memory() - held < 200_000_000
    assert snapshot(server.app) == before


@pytest.mark.parametrize("size", [9_000_000, 100_000])
def test_a_body_in_chunks_is_limited_too(size: int, server: Server) -> None:
    sent = head(f"POST /s/{server.zone.codes[3]}", Transfer_Encoding="chunked")
    piece = b"2710\r\n" + b"x" * 10_000 + b"\r\n"
    answer = server.ask(sent, *[piece] * (size // 10_000), b"0\r\n\r\n")
    assert status_of(answer) == 413


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\nX-C: d\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\rX-C: d\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A : b\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: \0\r\n\r\n", 400),
        (b"POST /s/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n", 400),
        (
            b"POST /s/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            400,
        ),
        (b"POST /s/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: x\r\n\r\n", 501),
        (head("GET /healthz", X_Long="x" * 17_000), 431),
        (head("GET /healthz", Cookie="x" * 17_000), 431),
        (head(f"GET /{'x' * 17_000}"), 431),
    ],
    ids=range(10),
)
def test_malformed_and_long_heads_are_refused(
    request_head: bytes, status: int, server: Server
) -> None:
    assert status_of(server.ask(request_head)) == status


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil", ""])
def test_a_host_that_is_not_ours_is_refused(host: str, server: Server) -> None:
    answer = server.ask(head("GET /", Host=host))
    assert status_of(answer) == 400
    assert b"evil" not in answer


def test_the_server_does_not_say_what_it_is(server: Server) -> None:
    answer = server.ask(head("GET /"))
    assert status_of(answer) == 200
    assert b"\r\nserver:" not in answer.lower()
