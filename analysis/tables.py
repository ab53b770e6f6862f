"""Frequency tables in the layout of a report; percentages are formatted where they are printed."""

from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from analysis.frames import count_answered, option_counts
from surveys.questionnaire import Question, Questionnaire, Table, TableLayout


@dataclass(frozen=True, slots=True)
class FrequencyRow:
    """How many chose one option; `share` (exact, 0 to 1) is None when nobody answered."""

    code: str
    text: str
    count: int
    share: Fraction | None


@dataclass(frozen=True, slots=True)
class FrequencyBlock:
    """One question: its rows in printed order, how many answered (`n`), how many left it blank.

    The counts of a single-choice question sum to `n`; those of a select-all question may exceed
    it, since its shares are shares of people.
    """

    question: str
    heading: str
    rows: tuple[FrequencyRow, ...]
    n: int
    blank: int


@dataclass(frozen=True, slots=True)
class FrequencyTable:
    """A table of blocks; `show_total` says whether a 合计 row with n is printed."""

    id: str
    title: str
    layout: TableLayout
    blocks: tuple[FrequencyBlock, ...]
    show_total: bool


def frequency_table(
    frame: pd.DataFrame, questionnaire: Questionnaire, table: Table
) -> FrequencyTable:
    """Count the answers to a table's questions, in the table's order.

    Parameters
        frame: as `build_frame` makes it from this questionnaire's answers.
        table: one of the questionnaire's tables.

    Returns
        Counts and exact shares of those who answered; a question that nobody answered has
        counts of 0 and no shares.

    Raises
        KeyError: the questionnaire lacks one of the table's questions.

    Example: table 7 of Beian 2020 is 知道 82 and 不知道 21, n = 103, share 82/103.
    """
    blocks = tuple(
        _block(frame, questionnaire.question(question_id), heading)
        for question_id, heading in zip(table.questions, table.headings, strict=True)
    )
    return FrequencyTable(table.id, table.title, table.layout, blocks, table.show_total)


def _block(frame: pd.DataFrame, question: Question, heading: str) -> FrequencyBlock:
    n = count_answered(frame, question)
    counts = option_counts(frame, question)
    rows = tuple(
        FrequencyRow(
            code=option.code,
            text=option.text,
            count=counts[option.code],
            share=Fraction(counts[option.code], n) if n else None,
        )
        for option in question.options
    )
    return FrequencyBlock(question.id, heading, rows, n, blank=len(frame) - n)
