"""A server in a process of its own, started as in production, and the CPU time it has used."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
PROJECT = Path(__file__).parent.parent
_START_SECONDS = 60
_STOP_SECONDS = 15


class CannotMeasure(Exception):  # noqa: N818 - an expected outcome, named for what it is
    """The benchmark cannot run here; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, and which process to watch."""

    pid: int
    port: int
    log: Path

    def memory_mb(self) -> float:
        """Return the memory that the process holds now (resident), in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_ms(self) -> float:
        """Return the CPU time of the whole process so far, user and system, in milliseconds."""
        text = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        # The second field is the program's name, which may itself hold blanks and brackets.
        after_name = text.rpartition(")")[2].split()
        user, system = int(after_name[11]), int(after_name[12])
        return (user + system) * 1000 / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(
    app: str, environment: Mapping[str, str], log: Path, port: int | None = None
) -> Iterator[Server]:
    """Serve `app` with the production command, on a free port unless one is named.

    Stops it at the end of the block. Raises `CannotMeasure` when it does not answer.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "flask", "--app", app, "serve"]
    command += ["--host", HOST, "--port", str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_answers(process, port, log)
        yield Server(process.pid, port, log)
    finally:
        _stop(process)


def fetch(port: int, path: str, headers: Mapping[str, str]) -> tuple[bytes, int]:
    """Return body and size of the head of one answer, as it came over the wire."""
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", headers=dict(headers))
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own address
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n{answer.headers}"
        return answer.read(), len(head.replace("\r\n", "\n").replace("\n", "\r\n").encode())


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _attempt in range(_START_SECONDS * 10):
        if process.poll() is not None:
            break
        try:
            fetch(port, "/healthz", {})
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise CannotMeasure(f"the server did not start:\n{log.read_text(errors='replace')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
