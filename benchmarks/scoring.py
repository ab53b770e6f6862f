"""`python -m benchmarks.scoring`: score and rank 31 townships by ten indicators, from their feeds.

The whole way is timed: reading each feed, scoring it, and ranking the totals.
"""

import argparse
import statistics
import time
from decimal import Decimal
from fractions import Fraction

from analysis.scoring import feed
from analysis.scoring.ranking import Ranking, rank_feeds
from analysis.scoring.rubric import Rubric, load_bundled
from analysis.scoring.uncertainty import uncertainty

TOWNSHIPS = 31
RUBRIC = "huoqiu-2020-ankang-code"


def made_feed(township: int) -> feed.Feed:
    """Return a township's feed; each township has other figures."""
    satisfied = 80 + township % 20
    low, high = Decimal(satisfied - 8) / 100, min(Decimal(1), Decimal(satisfied + 7) / 100)
    sampled = feed.Interval(low, high, "wilson", Decimal("0.95"))
    use = {
        "claimed": feed.Ratio(Decimal(50 + township), Decimal(100)),
        "verified": feed.Ratio(Decimal(township), Decimal(5)),
        "shown": feed.Ratio(Decimal(township), Decimal(3)),
    }
    contents: dict[str, feed.Content] = {
        "1": feed.Ticks({"mechanism": True, "inspection": township % 3 > 0, "rectified": True}),
        "2": feed.Parts(
            {"materials": True, "province": township % 2, "city": township % 3, "publicity": True}
        ),
        "3": feed.Parts(use),
        "4": feed.Count(township % 4),
        "5": feed.Ticks({"entry": township % 5 > 0}),
        "6": feed.Count(township // 30),
        "7": feed.Judgement(Decimal(township % 7), "评价组", "按完成时间"),
        "9": feed.Ticks({"cleared": True}),
        "10": feed.Rate(satisfied, 100, Fraction(satisfied, 100), "满意人数占比", sampled),
    }
    measurements = tuple(feed.Measurement(code, content) for code, content in contents.items())
    about = feed.ObjectRef(str(township), f"第 {township} 个乡镇")
    return feed.Feed(None, measurements, about=about)


def ranked(rubric: Rubric, text: str) -> Ranking:
    """Read the townships' feeds, score each and rank them."""
    return rank_feeds(rubric, feed.parse_many(text))


def main() -> None:
    """Time the rounds and print the median."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    chosen = parser.parse_args()
    rubric = load_bundled(RUBRIC)
    text = feed.dump_many(made_feed(township) for township in range(1, TOWNSHIPS + 1))
    seconds = []
    for _ in range(chosen.rounds):
        start = time.perf_counter()
        ranking = ranked(rubric, text)
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    asked = [uncertainty(each.sheet) for each in ranking.ranked]
    left_open = (time.perf_counter() - start) * 1000
    assert all(each.total is not None for each in asked)
    totals = [each.total.points.low for each in ranking.ranked]
    assert len(totals) == TOWNSHIPS
    assert totals == sorted(totals, reverse=True)
    median, slowest = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"{TOWNSHIPS} townships x {len(rubric.indicators)} indicators, {chosen.rounds} rounds")
    print(f"median {median:.1f} ms, slowest {slowest:.1f} ms; totals {totals[-1]} to {totals[0]}")
    print(f"what the samples leave open, all sheets once: {left_open:.1f} ms")


if __name__ == "__main__":
    main()
