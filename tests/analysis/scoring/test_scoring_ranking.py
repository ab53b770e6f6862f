"""Many objects beside each other: places, ties, what is missing, and from the command line."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from analysis.scoring import feed
from analysis.scoring.feed import FeedError
from analysis.scoring.ranking import Ranking, RankingError, rank_feeds
from analysis.scoring.rubric import load_bundled, parse
from tests.analysis.scoring.test_scoring_command import run

RUBRIC = parse(
    """
id = "two"
title = "两项"
scope = "complete"
full_marks = "10"
[source]
document = "试题"
place = "第一条"
[rounding]
mode = "half_up"
places = 2
[[grades]]
name = "好"
lower = "6"
lower_inclusive = true
[[grades]]
name = "差"
lower = "0"
lower_inclusive = true
upper = "6"
upper_inclusive = false
[[indicators]]
code = "a"
path = ["甲"]
name = "甲"
weight = "6"
criteria = "评定"
rule = { kind = "judgement", full = "6" }
[[indicators]]
code = "b"
path = ["乙"]
name = "乙"
weight = "4"
criteria = "评定"
rule = { kind = "judgement", full = "4" }
""",
    "two.toml",
)


def of(name: str, **points: str) -> feed.Feed:
    given = tuple(
        feed.Measurement(code, feed.Judgement(Decimal(text), "评价组", "按材料"))
        for code, text in points.items()
    )
    return feed.Feed(None, given, about=feed.ObjectRef(name, name))


def places(ranking: Ranking) -> dict[str, int | None]:
    return {each.about.name: each.place for each in ranking.standings}


def test_equal_points_share_a_place_and_the_next_ones_are_left_out() -> None:
    feeds = [of("丁", a="1", b="1"), of("甲", a="5", b="4"), of("乙", a="4", b="3")]
    ranking = rank_feeds(RUBRIC, [*feeds, of("丙", a="6", b="1")])
    assert places(ranking) == {"甲": 1, "乙": 2, "丙": 2, "丁": 4}
    assert [each.is_tied for each in ranking.ranked] == [False, True, True, False]
    assert ranking.grades == {"好": 3, "差": 1}


def test_who_lacks_a_measurement_has_no_place_but_a_range_of_them() -> None:
    feeds = [of("甲", a="6", b="3"), of("乙", a="5"), of("丙", a="1", b="1")]
    ranking = rank_feeds(RUBRIC, feeds)
    assert places(ranking) == {"甲": 1, "丙": 2, "乙": None}
    (unranked,) = ranking.unranked
    # 5 to 9: at best level with 甲, at worst still before 丙.
    assert (unranked.best, unranked.worst, unranked.missing) == (1, 2, ("b",))
    assert (ranking.ranked[0].best, ranking.ranked[0].worst) == (1, 1)
    assert ranking.open_grades == 1


def test_nobody_is_ranked_out_of_nothing() -> None:
    ranking = rank_feeds(RUBRIC, [of("甲"), of("乙")])
    assert [(one.place, one.best, one.worst) for one in ranking.standings] == [
        (None, 1, 2),
        (None, 1, 2),
    ]
    assert rank_feeds(RUBRIC, []).standings == ()


def test_lost_criteria_keep_nobody_from_being_ranked() -> None:
    rubric = load_bundled("huoqiu-2020-ankang-code")
    ranking = rank_feeds(rubric, [of("甲", **{"7": "6"})])
    assert ranking.lost == ("8",)
    assert "8" not in ranking.unranked[0].missing
    assert (ranking.unranked[0].best, ranking.unranked[0].worst) == (1, 1)


@pytest.mark.parametrize(
    ("feeds", "reason"),
    [
        ([of("甲"), of("甲")], "同一对象出现两次：甲"),
        ([feed.Feed(feed.SurveyRef("1", "t", "q"), ())], "没有写明评价对象"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(feeds: list[feed.Feed], reason: str) -> None:
    with pytest.raises(RankingError, match=reason):
        rank_feeds(RUBRIC, feeds)


def test_many_feeds_survive_being_written_and_read() -> None:
    feeds = (of("甲", a="1"), of("乙", b="2"))
    assert feed.parse_many(feed.dump_many(feeds)) == feeds
    assert feed.parse_many(feed.dump(feeds[0])) == feeds[:1]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"format": "minping.feeds/2"}, "$.format"),
        ({"feeds": None}, "$.feeds"),
        ({"more": 1}, "$.more"),
        ({"feeds": [{"format": "minping.feed/1", "measurements": []}]}, "$.feeds[0].survey"),
        ({"feeds": [json.loads(feed.dump(of("甲")))] * 2}, "$.feeds"),
    ],
)
def test_a_file_of_many_says_where_it_is_wrong(change: Mapping[str, object], path: str) -> None:
    raw = {**json.loads(feed.dump_many([of("甲")])), **change}
    with pytest.raises(FeedError) as refusal:
        feed.parse_many(json.dumps(raw))
    assert refusal.value.path == path


def test_the_command_ranks_files_and_folders_alike(tmp_path: Path) -> None:
    folder = tmp_path / "feeds"
    folder.mkdir()
    feeds = [of("甲", **{"7": "3"}), of("乙", **{"7": "5"})]
    for each in feeds:
        name = each.about.name if each.about else ""
        (folder / f"{name}.json").write_text(feed.dump(each), encoding="utf-8")
    many = tmp_path / "many.json"
    many.write_text(feed.dump_many(sorted(feeds, key=str, reverse=True)), encoding="utf-8")
    one = run("rank", "huoqiu-2020-ankang-code", str(many), "--json")
    other = run("rank", "huoqiu-2020-ankang-code", str(folder), "--json")
    assert one.returncode == 0, one.stderr
    names = {each["object"]["name"] for each in json.loads(one.stdout)["unranked"]}
    assert names == {"甲", "乙"}
    assert {json.dumps(each) for each in json.loads(one.stdout)["unranked"]} == {
        json.dumps(each) for each in json.loads(other.stdout)["unranked"]
    }
    shown = run("rank", "huoqiu-2020-ankang-code", str(many)).stdout
    assert "暂不排名" in shown
    assert "评分标准遗失、各对象都没有计分的指标：8" in shown


def test_the_command_says_what_it_cannot_rank(tmp_path: Path) -> None:
    file = tmp_path / "feed.json"
    file.write_text(feed.dump(feed.Feed(feed.SurveyRef("1", "t", "q"), ())), encoding="utf-8")
    done = run("rank", "huoqiu-2020-ankang-code", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "没有写明评价对象" in done.stderr
