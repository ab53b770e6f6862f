"""The load generator: reads one job as JSON on standard input, writes the outcome as JSON.

It runs as a process of its own (`python -m benchmarks.client`), so that what it costs is not
counted as the server's. It speaks just enough HTTP/1.1, over connections that stay open; every
round ends after a counted number of requests, and every answer is checked.
"""

import asyncio
import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from benchmarks.server import HOST, PROJECT, CannotMeasure

_PATIENCE_SECONDS = 30
_LONGEST_RUN_SECONDS = 1800
_MOST_FAULTS = 1000
_TOKEN = re.compile(rb'name="_token" value="([^"]+)"')
_KEY = re.compile(rb'name="key" value="([0-9a-f-]{36})"')
_RECEIPT = re.compile(r"/r/([0-9A-Z]{12})$")


class Kind(StrEnum):
    """What one unit of work is."""

    COMMIT = "commit"  # one row made durable, without any server (yardsticks.py)
    BARE = "bare"  # a page without a form
    VIEW = "view"  # the residents' form
    SUBMISSION = "submission"  # the form, then its answers, up to the redirect to the receipt


@dataclass(frozen=True, slots=True)
class Job:
    """One round: every path once, by so many connections at a time."""

    kind: Kind
    port: int
    concurrency: int
    paths: list[str]
    answers: str = ""


@dataclass(slots=True)
class Outcome:
    """What a round gave; latencies in milliseconds, one per unit of work."""

    seconds: float = 0.0
    client_cpu_ms: float = 0.0
    latencies: list[float] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class WrongAnswer(Exception):  # noqa: N818 - an outcome that is counted, not an error of ours
    """The server's answer is not what this step must give."""


def run(job: Job) -> Outcome:
    """Run one round in a process of its own. Raises `CannotMeasure` when that process fails."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.client"],
        cwd=PROJECT,
        input=json.dumps(asdict(job)).encode(),
        capture_output=True,
        timeout=_LONGEST_RUN_SECONDS,
        check=False,
    )
    if done.returncode:
        raise CannotMeasure(f"the load generator failed:\n{done.stderr.decode(errors='replace')}")
    return Outcome(**json.loads(done.stdout))


class Connection:
    """One connection that stays open, and is opened again after a fault."""

    def __init__(self, port: int, patience: float = _PATIENCE_SECONDS) -> None:
        self._port, self._patience = port, patience
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> Answer:
        """Fetch a page as a browser does, ready to take it compressed."""
        return await self._exchange(f"GET {path} HTTP/1.1\r\nAccept-Encoding: gzip\r\n", b"")

    async def post(self, path: str, body: bytes) -> Answer:
        """Send a form."""
        head = (
            f"POST {path} HTTP/1.1\r\nAccept-Encoding: gzip\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        )
        return await self._exchange(head, body)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, head: str, body: bytes) -> Answer:
        async with asyncio.timeout(self._patience):
            if self._streams is None:
                self._streams = await asyncio.open_connection(HOST, self._port)
            reader, writer = self._streams
            writer.write(f"{head}Host: {HOST}:{self._port}\r\n\r\n".encode() + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value for name, _colon, value in (x.partition(": ") for x in lines)
            }
            content = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(lines[0].split()[1]), headers, content)


async def _round(job: Job) -> Outcome:
    outcome = Outcome()
    waiting = iter(job.paths)
    started, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(job.concurrency):
            group.create_task(_work(job, waiting, outcome))
    outcome.seconds = time.perf_counter() - started
    outcome.client_cpu_ms = (time.process_time() - cpu) * 1000
    return outcome


async def _work(job: Job, waiting: Iterator[str], outcome: Outcome) -> None:
    """Take one path after the other until none is left."""
    connection = Connection(job.port)
    for path in waiting:
        started = time.perf_counter()
        try:
            await _unit(job, connection, path, outcome)
        except (WrongAnswer, OSError, EOFError, TimeoutError, KeyError, ValueError) as fault:
            if len(outcome.faults) < _MOST_FAULTS:
                outcome.faults.append(f"{job.kind}: {type(fault).__name__} {fault}")
            connection.close()
        else:
            outcome.latencies.append((time.perf_counter() - started) * 1000)
    connection.close()


async def _unit(job: Job, connection: Connection, path: str, outcome: Outcome) -> None:
    page = await connection.get(path)
    if job.kind is Kind.BARE:
        _checked_page(page)
        return
    body = full_form(page, job.answers)
    if job.kind is Kind.SUBMISSION:
        outcome.receipts.append(checked_receipt(await connection.post(path, body)))


def full_form(page: Answer, answers: str) -> bytes:
    """Return the body of this page's form with these answers. Raises `WrongAnswer`."""
    html = _checked_page(page)
    token, key = _TOKEN.search(html), _KEY.search(html)
    if token is None or key is None:
        raise WrongAnswer("a page without its form")
    return b"_token=%s&key=%s&%s&_end=1" % (token[1], key[1], answers.encode())


def _checked_page(answer: Answer) -> bytes:
    if answer.status != 200:
        raise WrongAnswer(f"status {answer.status} for a page")
    packed = answer.headers.get("content-encoding") == "gzip"
    return gzip.decompress(answer.body) if packed else answer.body


def checked_receipt(answer: Answer) -> str:
    """Return the receipt that a full form was answered with. Raises `WrongAnswer`."""
    if answer.status != 303:
        raise WrongAnswer(f"status {answer.status} for a full form")
    receipt = _RECEIPT.search(answer.headers["location"])
    if receipt is None:
        raise WrongAnswer(f"redirected to {answer.headers['location']}, which is no receipt")
    return receipt[1]


def main() -> None:
    """Run the job on standard input."""
    asked = json.load(sys.stdin)
    job = Job(**{**asked, "kind": Kind(asked["kind"])})
    json.dump(asdict(asyncio.run(_round(job))), sys.stdout)


if __name__ == "__main__":
    main()
