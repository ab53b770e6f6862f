from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from analysis.tables import frequency_table
from surveys.questionnaire import Questionnaire, Table, TableLayout

FrameOf = Callable[..., pd.DataFrame]

GRADE = st.sampled_from(["good", "fair", "bad", "unsure"])
PEOPLE = st.lists(st.fixed_dictionaries({}, optional={"attitude": GRADE, "skill": GRADE}))


def table_of(questionnaire: Questionnaire, table_id: str) -> Table:
    return next(table for table in questionnaire.tables if table.id == table_id)


def test_a_table_has_its_questions_in_its_own_order(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    table = frequency_table(frame_of(), questionnaire, table_of(questionnaire, "grades"))
    assert [(b.question, b.heading) for b in table.blocks] == [
        ("skill", "医疗水平"),
        ("attitude", "服务态度"),
    ]
    assert (table.title, table.layout) == ("满意情况", TableLayout.SIDE_BY_SIDE)
    assert table.show_total


def test_shares_are_exact_and_of_those_who_answered(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    frame = frame_of({"skill": "good"}, {"skill": "bad"}, {"skill": "bad"}, {"attitude": "good"})
    block = frequency_table(frame, questionnaire, table_of(questionnaire, "grades")).blocks[0]
    assert [(row.code, row.text, row.count, row.share) for row in block.rows] == [
        ("good", "满意", 1, Fraction(1, 3)),
        ("fair", "基本满意", 0, Fraction(0)),
        ("bad", "不满意", 2, Fraction(2, 3)),
        ("unsure", "不清楚", 0, Fraction(0)),
    ]
    assert (block.n, block.blank) == (3, 1)


def test_nobody_answered_is_no_share_of_0(questionnaire: Questionnaire, frame_of: FrameOf) -> None:
    table = frequency_table(frame_of({}), questionnaire, table_of(questionnaire, "grades"))
    assert {row.share for block in table.blocks for row in block.rows} == {None}
    assert table.blocks[0].blank == 1


def test_select_all_shares_are_of_people(questionnaire: Questionnaire, frame_of: FrameOf) -> None:
    frame = frame_of({"heard": ["paper", "visit"]}, {"heard": ["visit"]}, {})
    table = frequency_table(frame, questionnaire, table_of(questionnaire, "heard"))
    (block,) = table.blocks
    assert [row.share for row in block.rows] == [Fraction(1, 2), Fraction(0), Fraction(1)]
    assert (block.n, block.blank, table.show_total) == (2, 1, False)


@given(people=PEOPLE)
def test_frequencies_sum_to_n(
    questionnaire: Questionnaire, frame_of: FrameOf, people: Sequence[Mapping[str, str]]
) -> None:
    table = frequency_table(frame_of(*people), questionnaire, table_of(questionnaire, "grades"))
    for block in table.blocks:
        assert sum(row.count or 0 for row in block.rows) == block.n
        assert block.n + block.blank == len(people)
