"""Frequency tables in the layout of a report; percentages are formatted where they are printed."""

from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from analysis.frames import count_answered, option_column, option_counts, were_asked
from surveys.questionnaire import Question, QuestionKind, Questionnaire, Table, TableLayout


@dataclass(frozen=True, slots=True)
class FrequencyRow:
    """How many chose one option; `share` (exact, 0 to 1) is None when nobody answered.

    A `count` of None is withheld (`analysis.display`).
    """

    code: str
    text: str
    count: int | None
    share: Fraction | None


@dataclass(frozen=True, slots=True)
class FrequencyBlock:
    """One question: its rows in printed order, how many answered (`n`), how many left it blank.

    Whoever the logic did not ask is in neither. The counts of a single-choice question sum to `n`;
    those of a select-all question may exceed it, since its shares are shares of people.
    """

    question: str
    heading: str
    rows: tuple[FrequencyRow, ...]
    n: int
    blank: int


@dataclass(frozen=True, slots=True)
class NumberSummary:
    """A number question: how many gave a number (`n`), and what these numbers are like.

    `unsure` chose 不清楚 or 不适用 instead. The figures are in the question's `unit`, and None when
    nobody gave a number; a mean of nothing is not 0.
    """

    question: str
    heading: str
    unit: str
    n: int
    unsure: int
    blank: int
    mean: float | None
    median: float | None
    lowest: float | None
    highest: float | None


@dataclass(frozen=True, slots=True)
class FrequencyTable:
    """A table of blocks; `show_total` says whether a 合计 row with n is printed.

    Numbers have no frequencies; they stand in `summaries`.
    """

    id: str
    title: str
    layout: TableLayout
    blocks: tuple[FrequencyBlock, ...]
    show_total: bool
    summaries: tuple[NumberSummary, ...] = ()


def frequency_table(
    frame: pd.DataFrame, questionnaire: Questionnaire, table: Table
) -> FrequencyTable:
    """Count the answers to a table's questions, in the table's order.

    Parameters
        frame: as `build_frame` makes it from this questionnaire's answers.
        table: one of the questionnaire's tables.

    Returns
        Counts and exact shares of those who answered; a question that nobody answered has
        counts of 0 and no shares. A number question has a summary instead.

    Raises
        KeyError: the questionnaire lacks one of the table's questions.

    Example: table 7 of Beian 2020 is 知道 82 and 不知道 21, n = 103, share 82/103.
    """
    asked = [
        (questionnaire.question(question_id), heading)
        for question_id, heading in zip(table.questions, table.headings, strict=True)
    ]
    return FrequencyTable(
        id=table.id,
        title=table.title,
        layout=table.layout,
        blocks=tuple(_block(frame, *each) for each in asked if not _is_number(each[0])),
        show_total=table.show_total,
        summaries=tuple(_summary(frame, *each) for each in asked if _is_number(each[0])),
    )


def _is_number(question: Question) -> bool:
    return question.kind is QuestionKind.NUMBER


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
        for option in question.choices
    )
    asked = int(were_asked(frame, question.id).sum())
    return FrequencyBlock(question.id, heading, rows, n, blank=asked - n)


def _summary(frame: pd.DataFrame, question: Question, heading: str) -> NumberSummary:
    numbers = frame[question.id].dropna()
    unsure = frame[[option_column(question.id, code) for code in question.codes]]
    n, unsure_count = len(numbers), int(unsure.sum().sum())
    return NumberSummary(
        question=question.id,
        heading=heading,
        unit=question.unit,
        n=n,
        unsure=unsure_count,
        blank=int(were_asked(frame, question.id).sum()) - n - unsure_count,
        mean=float(numbers.mean()) if n else None,
        median=float(numbers.median()) if n else None,
        lowest=float(numbers.min()) if n else None,
        highest=float(numbers.max()) if n else None,
    )
