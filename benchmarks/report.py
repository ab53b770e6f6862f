"""The plain text tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.client import Kind, Outcome
from benchmarks.page import PageSize
from benchmarks.paint import Paint

# The project's aims (docs/benchmarks.md).
CPU_BAR_MS = 2.5
PAGE_BAR_BYTES = 15_000  # compressed: one round trip
BODY_BAR_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Round:
    """One line of the table: a kind of work at one concurrency, with the server's CPU time."""

    kind: Kind
    concurrency: int
    outcome: Outcome
    server_cpu_ms: float

    @property
    def done(self) -> int:
        """How many units of work were answered rightly."""
        return len(self.outcome.latencies)

    @property
    def per_second(self) -> float:
        """Units of work in a second."""
        return self.done / self.outcome.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds of the server process per unit of work."""
        return self.server_cpu_ms / max(self.done, 1)

    def latency(self, share: float) -> float:
        """Return the latency (ms) that this share of the work stayed within."""
        ordered = sorted(self.outcome.latencies) or [0.0]
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def page_lines(page: PageSize, paints: Sequence[Paint]) -> Iterator[str]:
    """Say what one view and one full form weigh, and when the page is to be seen."""
    yield f"The residents' page, {page.questions} questions"
    yield f"  page        {page.identity:>7,} bytes"
    yield f"  gzip        {page.compressed:>7,} bytes, and {page.head:,} of headers"
    yield f"  requests    {page.requests:>7,}"
    yield f"  POST body   {page.body:>7,} bytes"
    for paint in paints:
        yield f"  painted     {paint.seconds:>7.2f} s ({paint.line.name})"


def round_lines(rounds: Sequence[Round]) -> Iterator[str]:
    """Give every round as one line."""
    yield (
        f"{'':<11}{'at once':>8}{'done':>7}{'wrong':>7}{'per s':>9}"
        f"{'CPU ms':>9}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}"
    )
    for one in rounds:
        cpu = "" if one.kind is Kind.COMMIT else f"{one.cpu_ms:.2f}"
        yield (
            f"{one.kind:<11}{one.concurrency:>8}{one.done:>7}{len(one.outcome.faults):>7}"
            f"{one.per_second:>9.1f}{cpu:>9}"
            f"{one.latency(0.5):>9.1f}{one.latency(0.95):>9.1f}{one.latency(1):>9.1f}"
        )


def ratio_lines(rounds: Sequence[Round]) -> Iterator[str]:
    """Set every round against the yardsticks measured just before it.

    These figures travel between machines; the absolute ones do not.
    """
    yield (
        f"{'':<11}{'at once':>8}{'CPU / bare page CPU':>22}"
        f"{'per s / bare per s':>21}{'per s / commits per s':>24}"
    )
    beside: dict[Kind, Round] = {}
    for one in rounds:
        if one.kind in {Kind.COMMIT, Kind.BARE}:
            beside[one.kind] = one
            continue
        bare, commits = beside[Kind.BARE], beside[Kind.COMMIT].per_second
        cpu = f"{one.cpu_ms / bare.cpu_ms:.1f}" if bare.cpu_ms else "-"
        durable = f"{one.per_second / commits:.3f}" if one.kind is Kind.SUBMISSION else ""
        yield (
            f"{one.kind:<11}{one.concurrency:>8}{cpu:>22}"
            f"{one.per_second / bare.per_second:>21.2f}{durable:>24}"
        )


def aim_lines(page: PageSize, paints: Sequence[Paint], rounds: Sequence[Round]) -> Iterator[str]:
    """Say of each aim whether it was reached; the worst round counts."""
    worst = max(one.cpu_ms for one in rounds if one.kind is Kind.SUBMISSION)
    yield _aim("server CPU per submission, worst round", worst, CPU_BAR_MS, "ms")
    yield _aim("page, compressed", page.compressed / 1000, PAGE_BAR_BYTES / 1000, "KB")
    yield _aim("POST body", page.body / 1000, BODY_BAR_BYTES / 1000, "KB")
    yield _aim("requests of the page", page.requests, 1, "")
    for paint in paints:
        yield _aim(f"painted, {paint.line.name}", paint.seconds, paint.line.bar_seconds, "s")


def _aim(what: str, figure: float, bar: float, unit: str) -> str:
    verdict = "reached" if figure <= bar else "NOT reached"
    return f"  {what:<40}{figure:>7.2f} {unit:<3} at most {bar:g} {unit:<3} {verdict}"
