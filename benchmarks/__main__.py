"""`python -m benchmarks`: measure the residents' way and print it beside the yardsticks."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks import client, database, report
from benchmarks.client import Job, Kind
from benchmarks.page import PageSize, measure_page
from benchmarks.paint import Paint, measure_paints
from benchmarks.report import Round
from benchmarks.server import CannotMeasure, Server, running
from benchmarks.yardsticks import durable_commits

_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    levels: tuple[int, ...]
    views: int
    submissions: int
    commits: int
    warm_up: int

    @property
    def cards(self) -> int:
        """How many fresh cards that takes: one for each submission."""
        return self.warm_up + len(self.levels) * self.submissions + 1


FULL = Plan(levels=(1, 8, 32), views=2000, submissions=1500, commits=1000, warm_up=200)
QUICK = Plan(levels=(1, 8, 32), views=100, submissions=60, commits=50, warm_up=30)


@dataclass(frozen=True, slots=True)
class Stage:
    """What the rounds are played on: the product, the bare page beside it, and the database."""

    server: Server
    beside: Server
    commits_url: str
    page: PageSize


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that one run found."""

    page: PageSize
    paints: list[Paint]
    rounds: list[Round]
    faults: list[str]


def measure(plan: Plan, folder: Path, database_url: str) -> Measured:
    """Run the whole benchmark in this folder. Raises `CannotMeasure`."""
    variables = database.environment(folder, database_url)
    commits_url = database_url or f"sqlite:///{folder / 'commits.sqlite3'}"
    field = database.prepare(variables, plan.cards)
    with running("wsgi", variables, folder / "server.log") as server:
        page = measure_page(server.port, field.cards[-1])
        paints = measure_paints(server.port, field.cards[-1])
        bare = f"benchmarks.yardsticks:bare_app({page.identity})"
        with running(bare, variables, folder / "bare.log") as beside:
            stage = Stage(server, beside, commits_url, page)
            rounds = list(_rounds(plan, stage, field.cards))
    faults = [fault for one in rounds for fault in one.outcome.faults]
    receipts = [receipt for one in rounds for receipt in one.outcome.receipts]
    faults += database.faults_after(variables, field, receipts)
    faults += [f"the page made {page.requests} requests"] if page.requests != 1 else []
    return Measured(page, paints, rounds, faults)


def _rounds(plan: Plan, stage: Stage, cards: list[str]) -> Iterator[Round]:
    server, beside, answers = stage.server, stage.beside, stage.page.answers
    fresh = iter(cards)
    # Imports, caches and connections of the first requests are the start's cost, not theirs;
    # these rounds are kept out of the table, and counted all the same.
    yield _round(server, Kind.SUBMISSION, 16, list(islice(fresh, plan.warm_up)), answers)
    yield _round(beside, Kind.BARE, 16, ["/"] * plan.warm_up, "")
    for level in plan.levels:
        commits = durable_commits(stage.commits_url, plan.commits, stage.page.body)
        yield Round(Kind.COMMIT, 1, commits, 0.0)
        yield _round(beside, Kind.BARE, level, ["/"] * plan.views, "")
        yield _round(server, Kind.VIEW, level, cards[-1:] * plan.views, "")
        paths = list(islice(fresh, plan.submissions))
        yield _round(server, Kind.SUBMISSION, level, paths, answers)


def _round(server: Server, kind: Kind, level: int, paths: list[str], answers: str) -> Round:
    before = server.cpu_ms()
    outcome = client.run(Job(kind, server.port, level, paths, answers))
    return Round(kind, level, outcome, server.cpu_ms() - before)


def _print(found: Measured, warm_ups: int) -> None:
    shown = found.rounds[warm_ups:]
    parts: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: report.page_lines(found.page, found.paints),
        lambda: report.round_lines(shown),
        lambda: report.ratio_lines(shown),
        lambda: report.aim_lines(found.page, found.paints, shown),
    )
    for part in parts:
        print("\n".join(part()), end="\n\n")
    receipts = sum(len(one.outcome.receipts) for one in found.rounds)
    print(f"{receipts} acknowledged; {len(found.faults)} faults")
    print("\n".join(found.faults[:_MOST_SHOWN]), file=sys.stderr)


def main() -> int:
    """Return 0 when every answer was right, 1 when one was wrong, 2 when nothing was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of a few seconds")
    parser.add_argument("--database-url", default="", help="an EMPTY database to use, not SQLite")
    chosen = parser.parse_args()
    plan = QUICK if chosen.quick else FULL
    if not Path("/proc/self/stat").exists():
        print("The server's CPU time is read from /proc: this needs Linux.", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="minping-bench-") as folder:
            found = measure(plan, Path(folder), chosen.database_url)
    except CannotMeasure as reason:
        print(reason, file=sys.stderr)
        return 2
    _print(found, warm_ups=2)
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
