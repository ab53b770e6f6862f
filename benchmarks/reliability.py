"""`python -m benchmarks.reliability`: the figures that the promise to residents rests on.

Each figure stands beside the bar that was set for it, and the run fails when one is missed. The
clients do what a phone does: they send the same form again until they hold a receipt.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import database
from benchmarks.client import Connection, WrongAnswer, checked_receipt, full_form
from benchmarks.database import Field
from benchmarks.page import measure_page
from benchmarks.server import HOST, CannotMeasure, Server, free_port, running

_BROKEN_OFF = (OSError, EOFError, TimeoutError, KeyError, ValueError, IndexError)
_LARGE_BODY = 10 * 1024 * 1024
_SLOW_BODY = 2000
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is sent."""

    kills: int
    between_kills: int
    phones: int = 32
    on_one_card: int = 50
    rush: int = 300
    rush_at_once: int = 60
    slow_senders: int = 150
    beside_them: int = 200
    large_bodies: int = 20

    @property
    def cards(self) -> int:
        """How many cards that takes."""
        return self.kills * self.between_kills + 1 + self.rush + self.beside_them + 1


FULL = Plan(kills=20, between_kills=500)
QUICK = Plan(kills=2, between_kills=60, rush=60, rush_at_once=20, slow_senders=40, beside_them=40)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure beside its bar."""

    name: str
    bar: str
    found: str
    is_reached: bool


@dataclass(slots=True)
class Ground:
    """Where it is tried: a database of its own, unused cards, and every receipt that was given."""

    variables: dict[str, str]
    log: Path
    place: Field
    answers: str = ""
    used: int = 0
    receipts: list[str] = field(default_factory=list)

    def cards(self, count: int) -> list[str]:
        """Return so many cards that nobody used yet."""
        self.used += count
        return self.place.cards[self.used - count : self.used]

    def serving(self, port: int | None = None) -> AbstractContextManager[Server]:
        """Start the product."""
        return running("wsgi", self.variables, self.log, port)

    def differences(self) -> str:
        """Say how what is stored differs from the receipts; nothing when it does not."""
        return "; ".join(database.faults_after(self.variables, self.place, self.receipts))


async def stubborn(port: int, path: str, answers: str) -> str:
    """Fill a card in and send it until there is a receipt; return that."""
    body, connection = b"", Connection(port, _PATIENCE_SECONDS)
    while True:
        try:
            body = body or full_form(await connection.get(path), answers)
            reply = await connection.post(path, body)
            if reply.status != 503:
                connection.close()
                return checked_receipt(reply)
        except _BROKEN_OFF:
            connection.close()
        await asyncio.sleep(0.05)


async def together(work: list[Callable[[], Awaitable[None]]]) -> None:
    """Do all of it at the same time."""
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(one())  # type: ignore[arg-type]


async def killing(ground: Ground, plan: Plan) -> Figure:
    """Kill the server again and again while phones send."""
    port, paths = free_port(), ground.cards(plan.kills * plan.between_kills)
    waiting, before = iter(paths), len(ground.receipts)

    def stored() -> int:
        return len(ground.receipts) - before

    async def phone() -> None:
        for path in waiting:
            ground.receipts.append(await stubborn(port, path, ground.answers))

    def killer() -> None:
        for turn in range(plan.kills):
            with ground.serving(port) as server:
                while stored() < (turn + 0.5) * plan.between_kills:
                    time.sleep(0.005)
                os.kill(server.pid, signal.SIGKILL)
        with ground.serving(port):
            while stored() < len(paths):
                time.sleep(0.05)

    await together([lambda: asyncio.to_thread(killer), *[phone] * plan.phones])
    found = ground.differences()
    return Figure(
        f"{len(paths)} acknowledged through {plan.kills} kill -9, phones that retry",
        "0 lost, 0 doubled",
        found or "0 lost, 0 doubled",
        not found,
    )


async def on_one_card(ground: Ground, plan: Plan) -> Figure:
    """Let many phones, each with a key of its own, send the same card at the same moment."""
    (path,), statuses = ground.cards(1), []
    ready = asyncio.Barrier(plan.on_one_card)
    with ground.serving() as server:

        async def phone() -> None:
            connection = Connection(server.port)
            body = full_form(await connection.get(path), ground.answers)
            await ready.wait()
            reply = await connection.post(path, body)
            statuses.append(reply.status)
            if reply.status == 303:
                ground.receipts.append(checked_receipt(reply))

        await together([phone] * plan.on_one_card)
    acknowledged, found = statuses.count(303), ground.differences()
    return Figure(
        f"one card, {plan.on_one_card} phones at once",
        "1 stored, 1 acknowledged",
        found or f"{acknowledged} stored, {acknowledged} acknowledged",
        acknowledged == 1 and not found,
    )


async def _rush(ground: Ground, server: Server, count: int, at_once: int) -> tuple[int, float]:
    """Let so many phones send their cards; return how many failed, and the 95th percentile in s."""
    waiting, seconds, failed = iter(ground.cards(count)), [], []

    async def phone() -> None:
        for path in waiting:
            connection, started = Connection(server.port), time.perf_counter()
            try:
                body = full_form(await connection.get(path), ground.answers)
                ground.receipts.append(checked_receipt(await connection.post(path, body)))
                seconds.append(time.perf_counter() - started)
            except (WrongAnswer, *_BROKEN_OFF) as fault:
                failed.append(fault)
            connection.close()

    await together([phone] * at_once)
    return len(failed), statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else 0.0


def _served(name: str, failed: int, p95: float, differences: str) -> Figure:
    found = differences or f"{failed} failed, p95 {p95:.2f} s"
    return Figure(name, "0 failed, p95 < 2 s", found, not differences and not failed and p95 < 2)


async def rush(ground: Ground, plan: Plan) -> Figure:
    """Open a survey in a full hall."""
    with ground.serving() as server:
        failed, p95 = await _rush(ground, server, plan.rush, plan.rush_at_once)
    name = f"{plan.rush} cards, {plan.rush_at_once} at once"
    return _served(name, failed, p95, ground.differences())


async def slow_senders(ground: Ground, plan: Plan) -> Figure:
    """Serve others while many phones at the edge of coverage send a byte now and then."""
    (path,), finished = ground.cards(1), asyncio.Event()
    with ground.serving() as server:

        async def slow() -> None:
            _reader, writer = await asyncio.open_connection(HOST, server.port)
            head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {_SLOW_BODY}\r\n\r\n"
            writer.write(head.encode())
            try:
                while not finished.is_set():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(1)
            except OSError:
                pass  # the server may hang up on them
            writer.close()

        async def others() -> None:
            await asyncio.sleep(1)  # until all of them are at it
            result.extend(await _rush(ground, server, plan.beside_them, 8))
            finished.set()

        result: list[float] = []
        await together([others, *[slow] * plan.slow_senders])
    failed, p95 = result
    name = f"{plan.slow_senders} slow senders, {plan.beside_them} others beside them"
    return _served(name, int(failed), p95, ground.differences())


async def large_bodies(ground: Ground, plan: Plan) -> Figure:
    """Send bodies that no form has."""
    body, outcomes = b"x" * _LARGE_BODY, []
    with ground.serving() as server:
        before = highest = server.memory_mb()

        async def sender() -> None:
            nonlocal highest
            connection = Connection(server.port)
            try:
                outcomes.append((await connection.post(ground.place.cards[-1], body)).status)
            except _BROKEN_OFF:
                outcomes.append(413)  # hung up on before it had sent all of it
            highest = max(highest, server.memory_mb())
            connection.close()

        await together([sender] * plan.large_bodies)
    refused, more = outcomes.count(413), highest - before
    return Figure(
        f"{plan.large_bodies} bodies of 10 MB at once",
        "all refused, memory under +200 MB",
        f"{refused} refused, +{more:.0f} MB",
        refused == plan.large_bodies and more < 200,
    )


FIGURES = (killing, on_one_card, rush, slow_senders, large_bodies)


def measure(plan: Plan, folder: Path, database_url: str) -> list[Figure]:
    """Try everything in this folder. Raises `CannotMeasure`."""
    variables = database.environment(folder, database_url)
    ground = Ground(variables, folder / "server.log", database.prepare(variables, plan.cards))
    with ground.serving() as server:
        ground.answers = measure_page(server.port, ground.place.cards[-1]).answers
    return [asyncio.run(one(ground, plan)) for one in FIGURES]


def main() -> int:
    """Return 0 when every bar was reached, 1 when one was missed, 2 when nothing was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    parser.add_argument("--database-url", default="", help="an EMPTY database to use, not SQLite")
    chosen = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="minping-bench-") as folder:
            plan = QUICK if chosen.quick else FULL
            figures = measure(plan, Path(folder), chosen.database_url)
    except CannotMeasure as reason:
        print(reason, file=sys.stderr)
        return 2
    for one in figures:
        print(f"{'reached' if one.is_reached else 'MISSED':8} {one.name}: {one.found} ({one.bar})")
    return 0 if all(one.is_reached for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
