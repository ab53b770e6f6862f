import doctest
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import published as published_module
from analysis.designs import Design, Sample
from analysis.published import (
    Comparison,
    Figure,
    FindingKind,
    Published,
    PublishedBlock,
    PublishedClaim,
    PublishedError,
    PublishedRow,
    PublishedStatement,
    PublishedTotal,
    bundled,
    compare,
    is_possible,
    load,
    load_bundled,
    published_counts,
)
from surveys.questionnaire import Questionnaire

FrameOf = Callable[..., pd.DataFrame]

SIMPLE = Design(Sample.SIMPLE)

TOML = """
format = "minping.published/1"
id = "clinic-2020"
document = "卫生院满意度报告"
questionnaire = "clinic"
respondents = 6

[[blocks]]
place = "表1"
question = "attitude"
heading = "服务态度"
total = { count = 6, percent = "100.0" }
rows = [
    { option = "good", text = "满意", count = 3, percent = "50.0" },
    { option = "fair", text = "基本满意", count = 1, percent = "16.7" },
    { option = "bad", text = "不满意", count = 2, percent = "33.3" },
]

[[statements]]
place = "正文"
text = "66.7%的居民满意"
measure = "valid"
percent = "66.7"

[[claims]]
place = "正文"
text = "满意度超过60%"
measure = "valid"
more_than = "60"
"""


@pytest.fixture
def report(tmp_path: Path) -> Published:
    return load(written(tmp_path, TOML))


@pytest.fixture
def frame(frame_of: FrameOf) -> pd.DataFrame:
    """Six answers that the report above prints without a mistake."""
    return frame_of(
        *({"attitude": grade} for grade in ("good", "fair", "bad", "good", "bad", "good"))
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "clinic-2020.toml"
    path.write_text(text, encoding="utf-8")
    return path


def with_rows(report: Published, *rows: PublishedRow) -> Published:
    return replace(report, blocks=(replace(report.blocks[0], rows=rows),))


def with_percent(report: Published, position: int, percent: str) -> Published:
    rows = list(report.blocks[0].rows)
    rows[position] = replace(rows[position], percent=Decimal(percent))
    return with_rows(report, *rows)


def kinds(comparisons: Iterable[Comparison], figure: Figure) -> list[FindingKind]:
    return [
        finding.kind
        for comparison in comparisons
        if comparison.figure is figure
        for finding in comparison.findings
    ]


def test_a_file_keeps_the_printed_decimals(report: Published) -> None:
    assert report.blocks[0].total == PublishedTotal(6, Decimal("100.0"))
    assert str(report.blocks[0].rows[0].percent) == "50.0"
    assert report.claims[0].more_than == 60


def test_counts_come_by_question_and_option(report: Published) -> None:
    assert published_counts(report) == {"attitude": {"good": 3, "fair": 1, "bad": 2}}


@pytest.mark.parametrize(
    ("old", "new", "place", "reason"),
    [
        ("published/1", "published/9", "format", "minping.published/1"),
        ("respondents = 6", "", "respondents", "缺少"),
        ("respondents = 6", "respondents = 0", "respondents", "不能小于 1"),
        ('percent = "50.0"', "percent = 50.0", "blocks[1].rows[1].percent", "加引号"),
        ('percent = "50.0"', 'percent = "50.0%"', "blocks[1].rows[1].percent", "不带百分号"),
        ("count = 2,", "count = -2,", "blocks[1].rows[3].count", "不能小于 0"),
        ('option = "bad"', 'option = "good"', "blocks.attitude", "不止一次"),
        ('place = "表1"', 'plaice = "表1"', "blocks[1].place", "缺少"),
        ('place = "表1"', 'place = "表1"\npage = 3', "blocks[1].page", "不认识"),
        ("[[claims]]", "[[claims", "文件", "TOML"),
    ],
)
def test_a_faulty_file_names_the_place_and_the_reason(
    tmp_path: Path, old: str, new: str, place: str, reason: str
) -> None:
    with pytest.raises(PublishedError) as caught:
        load(written(tmp_path, TOML.replace(old, new)))
    assert (caught.value.file, caught.value.place) == ("clinic-2020.toml", place)
    assert reason in caught.value.reason


def test_a_missing_file_is_a_published_error(tmp_path: Path) -> None:
    with pytest.raises(PublishedError, match="无法读取"):
        load(tmp_path / "none.toml")


def test_bundled_reports_are_found_by_id() -> None:
    assert all(load_bundled(name).id == name for name in bundled())


def test_a_report_without_a_mistake_agrees(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    found = compare(report, frame, questionnaire, SIMPLE)
    assert [comparison.figure for comparison in found] == [
        *[Figure.ROW] * 3,
        Figure.TOTAL,
        Figure.STATEMENT,
        Figure.CLAIM,
    ]
    assert all(comparison.agrees for comparison in found)


def test_a_comparison_holds_both_figures(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    row = compare(report, frame, questionnaire, SIMPLE)[1]
    assert (row.place, row.what) == ("表1", "服务态度：基本满意")
    assert (row.printed_count, row.printed_percent) == (1, Decimal("16.7"))
    assert (row.count, row.base, row.percent) == (1, 6, Decimal("16.7"))


def test_a_percentage_that_was_cut_off_is_not_wrong(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    cut_off = compare(with_percent(report, 1, "16.6"), frame, questionnaire, SIMPLE)
    assert all(comparison.agrees for comparison in cut_off)


def test_an_impossible_percentage_names_the_nearest(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    row = compare(with_percent(report, 1, "20.0"), frame, questionnaire, SIMPLE)[1]
    assert row.findings[0].kind is FindingKind.IMPOSSIBLE_PERCENTAGE
    assert (
        row.findings[0].sentence == "6人中没有一个人数能得出20.0%：最接近的1人是16.7%、2人是33.3%。"
    )


def test_a_possible_percentage_can_contradict_its_count(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    found = compare(with_percent(report, 1, "33.3"), frame, questionnaire, SIMPLE)
    assert kinds(found, Figure.ROW) == [
        FindingKind.PERCENT_AGAINST_COUNT,
        FindingKind.AGAINST_ANSWERS,
    ]


def test_a_column_must_add_to_100(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    found = compare(with_percent(report, 1, "33.3"), frame, questionnaire, SIMPLE)
    assert kinds(found, Figure.TOTAL) == [FindingKind.COLUMN_NOT_100]


def test_a_column_may_not_be_off_by_more_than_rounding(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    found = compare(with_percent(report, 1, "16.9"), frame, questionnaire, SIMPLE)
    assert kinds(found, Figure.TOTAL) == [FindingKind.COLUMN_NOT_100]


def test_rounding_may_take_a_column_away_from_100(
    report: Published, frame_of: FrameOf, questionnaire: Questionnaire
) -> None:
    thirds = with_rows(
        report,
        *(PublishedRow(code, code, 2, Decimal("33.3")) for code in ("good", "fair", "bad")),
    )
    frame = frame_of(*({"attitude": grade} for grade in ["good", "fair", "bad"] * 2))
    assert kinds(compare(thirds, frame, questionnaire, SIMPLE), Figure.TOTAL) == []


def test_counts_must_add_to_n(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    found = compare(with_rows(report, *report.blocks[0].rows[:2]), frame, questionnaire, SIMPLE)
    assert FindingKind.COUNTS_NOT_N in kinds(found, Figure.TOTAL)


def test_a_column_of_select_all_need_not_add_up(
    report: Published, frame_of: FrameOf, questionnaire: Questionnaire
) -> None:
    rows = (
        PublishedRow("paper", "报纸", 4, Decimal("66.7")),
        PublishedRow("visit", "入户", 6, Decimal("100.0")),
    )
    block = PublishedBlock("表2", "heard", "渠道", rows)
    frame = frame_of(*[{"heard": ["paper", "visit"]}] * 4, *[{"heard": ["visit"]}] * 2)
    found = compare(
        replace(report, blocks=(block,), statements=(), claims=()), frame, questionnaire, SIMPLE
    )
    assert all(comparison.agrees for comparison in found)


def test_text_is_held_against_the_table(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    text = PublishedStatement("正文", "83.3%的居民满意", "valid", Decimal("83.3"))
    found = compare(replace(report, statements=(text,)), frame, questionnaire, SIMPLE)
    assert kinds(found, Figure.STATEMENT) == [
        FindingKind.TEXT_AGAINST_TABLE,
        FindingKind.AGAINST_ANSWERS,
    ]
    assert found[-2].findings[0].sentence == "正文印作83.3%，而表1为4/6，即66.7%。"


def test_text_about_a_question_without_a_table_is_held_against_the_answers_only(
    report: Published, frame_of: FrameOf, questionnaire: Questionnaire
) -> None:
    text = PublishedStatement("正文", "83.3%的居民知道", "awareness", Decimal("83.3"))
    frame = frame_of(*[{"knows": "yes"}] * 4, *[{"knows": "no"}] * 2)
    found = compare(replace(report, statements=(text,)), frame, questionnaire, SIMPLE)
    assert kinds(found, Figure.STATEMENT) == [FindingKind.AGAINST_ANSWERS]


def test_text_with_fewer_decimals_than_the_measure_is_not_wrong(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    text = PublishedStatement("正文", "67%的居民满意", "valid", Decimal(67))
    found = compare(replace(report, statements=(text,)), frame, questionnaire, SIMPLE)
    assert kinds(found, Figure.STATEMENT) == []


@pytest.mark.parametrize(
    ("threshold", "is_refuted"), [("66.6", False), ("66.7", True), ("70", True)]
)
def test_a_claim_is_held_against_the_exact_rate(
    report: Published,
    frame: pd.DataFrame,
    questionnaire: Questionnaire,
    threshold: str,
    is_refuted: bool,
) -> None:
    claim = PublishedClaim("正文", "满意度超过……", "valid", Decimal(threshold))
    found = compare(replace(report, claims=(claim,)), frame, questionnaire, SIMPLE)
    assert kinds(found, Figure.CLAIM) == [FindingKind.CLAIM] * is_refuted


def test_more_than_is_not_reached_by_as_much(
    report: Published, frame_of: FrameOf, questionnaire: Questionnaire
) -> None:
    claim = PublishedClaim("正文", "满意度超过50%", "valid", Decimal(50))
    frame = frame_of({"attitude": "good"}, {"attitude": "bad"})
    found = compare(replace(report, claims=(claim,)), frame, questionnaire, SIMPLE)
    assert kinds(found, Figure.CLAIM) == [FindingKind.CLAIM]


def test_other_answers_contradict_the_report(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    found = compare(report, frame.iloc[1:], questionnaire, SIMPLE)
    assert {finding.kind for comparison in found for finding in comparison.findings} >= {
        FindingKind.AGAINST_ANSWERS
    }
    assert not found[0].agrees


def test_the_same_share_of_more_answers_is_another_count(
    report: Published, frame: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    found = compare(report, pd.concat([frame, frame]), questionnaire, SIMPLE)
    assert kinds(found, Figure.ROW) == [FindingKind.AGAINST_ANSWERS] * 3
    assert kinds(found, Figure.TOTAL) == [FindingKind.AGAINST_ANSWERS]
    assert kinds(found, Figure.STATEMENT) == []


def test_without_answers_nothing_agrees_and_nothing_is_0(
    report: Published, frame_of: FrameOf, questionnaire: Questionnaire
) -> None:
    found = compare(report, frame_of(), questionnaire, SIMPLE)
    assert {comparison.percent for comparison in found} == {None}
    assert {finding.kind for comparison in found for finding in comparison.findings} == {
        FindingKind.NOBODY_ANSWERED
    }


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('question = "attitude"', 'question = "mood"', "表1"),
        ('option = "bad"', 'option = "awful"', "表1"),
        ('measure = "valid"', 'measure = "mood"', "正文"),
        ('measure = "valid"', 'measure = "channels"', "正文"),
    ],
)
def test_a_report_on_something_else_is_refused(
    tmp_path: Path,
    frame: pd.DataFrame,
    questionnaire: Questionnaire,
    old: str,
    new: str,
    place: str,
) -> None:
    report = load(written(tmp_path, TOML.replace(old, new)))
    with pytest.raises(PublishedError) as caught:
        compare(report, frame, questionnaire, SIMPLE)
    assert caught.value.place == place


@given(count=st.integers(0, 400), others=st.integers(1, 400), places=st.integers(0, 3))
def test_every_rounded_share_is_possible(count: int, others: int, places: int) -> None:
    n = count + others
    share = (Decimal(100) * count / n).quantize(Decimal(1).scaleb(-places), "ROUND_HALF_UP")
    assert is_possible(share, n)


@given(hundredths=st.integers(0, 10_000), n=st.integers(1, 300))
def test_possible_means_that_some_count_prints_so(hundredths: int, n: int) -> None:
    percent = Decimal(hundredths).scaleb(-2)
    cut_off = {count * 10_000 // n for count in range(n + 1)}
    half_up = {(count * 20_000 + n) // (2 * n) for count in range(n + 1)}
    assert is_possible(percent, n) is (hundredths in cut_off | half_up)


def test_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(published_module).failed == 0
