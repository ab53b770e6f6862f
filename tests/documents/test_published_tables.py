"""Every figure that the Beian report prints in tables 3 to 8 and in the text about them."""

from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest

from analysis.designs import Design, Sample
from analysis.frames import SubmissionRow, build_frame
from analysis.published import (
    Comparison,
    Figure,
    FindingKind,
    Published,
    compare,
    load_bundled,
    published_counts,
)
from analysis.rates import estimate
from analysis.tables import frequency_table
from surveys.library import bundled
from surveys.questionnaire import Questionnaire

SIMPLE = Design(Sample.SIMPLE)
REPORT: Published = load_bundled("beian-2020-public-health")
FIELDED: Questionnaire = bundled()[REPORT.questionnaire]

# The contradictions in the document, by the words of the figure. Everything else must agree.
CONTRADICTIONS = {
    "居民健康状况：改善一般": [
        FindingKind.IMPOSSIBLE_PERCENTAGE,
        FindingKind.PERCENT_AGAINST_COUNT,
        FindingKind.AGAINST_ANSWERS,
    ],
    "居民健康状况：没有改善": [
        FindingKind.IMPOSSIBLE_PERCENTAGE,
        FindingKind.PERCENT_AGAINST_COUNT,
        FindingKind.AGAINST_ANSWERS,
    ],
    "居民健康状况：合计": [FindingKind.COLUMN_NOT_100],
    "97.22%的居民知晓政府免费为居民提供基本公共卫生服务": [
        FindingKind.IMPOSSIBLE_PERCENTAGE,
        FindingKind.TEXT_AGAINST_TABLE,
        FindingKind.AGAINST_ANSWERS,
    ],
    "业务水平提升率超过70%": [FindingKind.CLAIM],
}


def replayed() -> pd.DataFrame:
    """Give 103 people the printed answers; questions 2 and 11 were not published."""
    people: list[dict[str, str]] = [{} for _ in range(REPORT.respondents)]
    for question, counts in published_counts(REPORT).items():
        codes = [code for code, count in counts.items() for _ in range(count)]
        for person, code in zip(people, codes, strict=True):
            person[question] = code
    return build_frame(
        FIELDED,
        (SubmissionRow(str(i), 1, "paper", None, person) for i, person in enumerate(people)),
    )


FRAME = replayed()
COMPARISONS = compare(REPORT, FRAME, FIELDED, SIMPLE)


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: f"{c.place} {c.what}")
def test_every_printed_figure_agrees_or_is_a_known_contradiction(comparison: Comparison) -> None:
    expected = CONTRADICTIONS.get(comparison.what, [])
    assert [finding.kind for finding in comparison.findings] == expected
    assert comparison.agrees is (not expected)


def test_no_contradiction_went_missing() -> None:
    assert set(CONTRADICTIONS) <= {comparison.what for comparison in COMPARISONS}


def test_all_of_tables_3_to_8_and_all_sentences_are_compared() -> None:
    figures = [comparison.figure for comparison in COMPARISONS]
    assert [figures.count(figure) for figure in Figure] == [34, 10, 10, 3]


@pytest.mark.parametrize(
    ("what", "printed", "recomputed"),
    [
        ("居民健康状况：改善一般", "17.91", "28.16"),
        ("居民健康状况：没有改善", "2.61", "0.97"),
        ("97.22%的居民知晓政府免费为居民提供基本公共卫生服务", "97.22", "79.61"),
        ("业务水平提升率超过70%", "70", "36.89"),
        ("综合基本满意度超过了80%", "80", "88.59"),
    ],
)
def test_contradictions_name_both_figures(what: str, printed: str, recomputed: str) -> None:
    (found,) = (comparison for comparison in COMPARISONS if comparison.what == what)
    assert (found.printed_percent, found.percent) == (Decimal(printed), Decimal(recomputed))


def test_table_6_adds_to_100_01_by_rounding_alone() -> None:
    (table_6,) = (block for block in REPORT.blocks if block.place == "表6")
    (total,) = (c for c in COMPARISONS if (c.place, c.figure) == ("表6", Figure.TOTAL))
    assert sum(row.percent for row in table_6.rows) == Decimal("100.01")
    assert total.agrees


def test_rows_carry_the_words_of_the_questionnaire() -> None:
    for block in REPORT.blocks:
        question = FIELDED.question(block.question)
        printed = [(row.option, row.text) for row in block.rows]
        assert printed == [(option.code, option.text) for option in question.options]


def test_our_frequency_tables_have_the_printed_counts_under_the_printed_headings() -> None:
    ours = [
        (block.heading, [row.count for row in block.rows])
        for table in FIELDED.tables
        for block in frequency_table(FRAME, FIELDED, table).blocks
    ]
    printed = [(block.heading, [row.count for row in block.rows]) for block in REPORT.blocks]
    assert ours == printed


def test_only_tables_with_a_printed_total_have_one() -> None:
    shown = [table.show_total for table in FIELDED.tables for _ in table.questions]
    assert shown == [block.total is not None for block in REPORT.blocks]


def test_satisfaction_is_the_mean_of_four_rates() -> None:
    rate = estimate(FRAME, FIELDED.measure("satisfaction"), SIMPLE)
    assert (rate.numerator, rate.base, rate.respondents) == (365, 412, 103)
    assert rate.value == Fraction(90 + 84 + 96 + 95, 4 * 103)
