"""Cross-tables: counts by group, and nothing from which a few people could be told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.crosstables import CrossTable, cross_table
from analysis.display import GroupStatus
from analysis.frames import SubmissionRow, build_frame
from surveys.library import bundled

ASKED = bundled()["beian-2020-fielded"]
SHOWN, SUPPRESSED = GroupStatus.SHOWN, GroupStatus.SUPPRESSED


def frame_of(people: Sequence[tuple[int, str, Mapping[str, str | list[str]]]]) -> pd.DataFrame:
    rows = (
        SubmissionRow(str(number), area, channel, None, given)
        for number, (area, channel, given) in enumerate(people)
    )
    return build_frame(ASKED, rows)


def lot(n: int, area: int = 1, channel: str = "paper", **given: str | list[str]) -> list:  # type: ignore[type-arg]
    return [(area, channel, given)] * n


def statuses(table: CrossTable) -> list[GroupStatus]:
    return [row.status for row in table.rows]


def test_counts_shares_and_bases_of_groups() -> None:
    people = [*lot(6, 1, q1="aware"), *lot(2, 1, q1="unaware"), *lot(5, 2, q1="unaware"), *lot(3)]
    table = cross_table(frame_of(people), ASKED.question("q1"), "area", [1, 2, 3])
    first, second, third = table.rows
    assert [(cell.count, cell.share) for cell in first.cells] == [
        (6, Fraction(3, 4)),
        (2, Fraction(1, 4)),
    ]
    assert (first.n, second.n, table.total.n) == (8, 5, 13)
    assert third.status is GroupStatus.NOBODY_ANSWERED


def test_shares_of_a_select_all_question_are_shares_of_people() -> None:
    people = [*lot(5, q2=["leaflet", "other"]), *lot(5, q2=["leaflet"]), *lot(5)]
    table = cross_table(frame_of(people), ASKED.question("q2"), "area", [1])
    by_code = dict(zip((one.code for one in table.options), table.rows[0].cells, strict=True))
    assert (by_code["leaflet"].share, by_code["other"].share) == (Fraction(1), Fraction(1, 2))


def test_a_small_group_is_hidden_with_another() -> None:
    people = [*lot(9, 1, q1="aware"), *lot(6, 2, q1="aware"), *lot(2, 3, q1="unaware")]
    table = cross_table(frame_of(people), ASKED.question("q1"), "area", [1, 2, 3])
    assert statuses(table) == [SHOWN, SUPPRESSED, SUPPRESSED]
    assert [(row.n, row.cells) for row in table.rows[1:]] == [(None, ())] * 2


def test_two_questions_hide_the_same_people_either_way_round() -> None:
    people = [
        *lot(20, q1="aware", q3="often"),
        *lot(3, q1="unaware", q3="often"),
        *lot(9, q1="aware", q3="never"),
    ]
    frame = frame_of(people)
    one_way = cross_table(frame, ASKED.question("q3"), "q1", ASKED.question("q1").codes)
    other_way = cross_table(frame, ASKED.question("q1"), "q3", ASKED.question("q3").codes)
    assert statuses(one_way) == [SUPPRESSED, SUPPRESSED]
    assert {option.code for option in other_way.hidden} == {"aware", "unaware"}


def test_a_filter_with_a_small_group_anywhere_leaves_the_total_alone() -> None:
    """One town's small group would be the total minus the same group of the other towns."""
    people = [
        *lot(9, 1, "paper", q1="aware"),
        *lot(6, 1, "scanned", q1="aware"),
        *lot(9, 2, "paper", q1="aware"),
        *lot(3, 2, "scanned", q1="unaware"),
    ]
    question = ASKED.question("q1")
    for area, n in ((1, 15), (2, 12)):
        table = cross_table(
            frame_of(people), question, "channel", ["scanned", "paper"], inside={"area": area}
        )
        assert statuses(table) == [SUPPRESSED] * 2
        assert table.total.n == n
    both: dict[str, int | str] = {"area": 1, "channel": "paper"}
    table = cross_table(frame_of(people), question, "q3", ASKED.question("q3").codes, inside=both)
    assert table.total.status is SUPPRESSED


def test_a_filter_on_a_small_group_shows_nothing_at_all() -> None:
    people = [*lot(9, 1, q1="aware"), *lot(6, 2, q1="aware"), *lot(2, 3, q1="unaware")]
    for area, status in ((1, SHOWN), (2, SUPPRESSED), (3, SUPPRESSED)):
        table = cross_table(
            frame_of(people), ASKED.question("q1"), "channel", ["paper"], inside={"area": area}
        )
        assert table.total.status is status


def test_filters_that_hide_nobody_narrow_the_count_down() -> None:
    people = [*lot(9, 1, q1="aware"), *lot(6, 2, "scanned", q1="unaware")]
    table = cross_table(
        frame_of(people), ASKED.question("q1"), "channel", ["scanned", "paper"], inside={"area": 1}
    )
    assert [row.n for row in table.rows] == [0, 9]
    assert [cell.count for cell in table.total.cells] == [9, 0]


@pytest.mark.parametrize(("question", "by"), [("q1", "q1")])
def test_a_question_is_not_crossed_with_itself(question: str, by: str) -> None:
    with pytest.raises(ValueError, match="cannot be crossed"):
        cross_table(frame_of([]), ASKED.question(question), by, [])


_people = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.just("paper"),
        st.fixed_dictionaries({}, optional={"q1": st.sampled_from(["aware", "unaware"])}),
    ),
    max_size=60,
)


@given(_people)
def test_what_is_hidden_is_never_a_few_people(
    people: list[tuple[int, str, dict[str, str | list[str]]]],
) -> None:
    table = cross_table(frame_of(people), ASKED.question("q1"), "area", [1, 2, 3])
    sizes = Counter(area for area, _channel, given in people if given)
    left = sum(sizes.values()) - sum(row.n or 0 for row in table.rows)
    shown_any = any(row.status is SHOWN for row in table.rows)
    assert not shown_any or left == 0 or left >= 5
    for row in table.rows:
        assert row.status is not SHOWN or sizes[row.group] >= 5  # type: ignore[index]
