"""From answer sheets to one wide, coded table: a row per submission, columns per question."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from surveys.questionnaire import Question, QuestionKind, Questionnaire

Answer = str | Sequence[str]

ABOUT = ("key", "area", "channel", "batch")


class SubmissionRow(NamedTuple):
    """One answer sheet as it is stored; a question left blank has no entry in `answers`."""

    key: str
    area: int
    channel: str
    batch: int | None
    answers: Mapping[str, Answer]


def build_frame(questionnaire: Questionnaire, rows: Iterable[SubmissionRow]) -> pd.DataFrame:
    """Lay answer sheets out as a wide frame with the same dtypes for any number of rows.

    Parameters
        questionnaire: the version that all rows answered.
        rows: answer sheets; several chosen options come as a sequence of codes.

    Returns
        One row per submission: `key` and `channel` (str), `area` (int64), `batch` (Int64); then
        for a single-choice question a categorical column named by its id, whose categories are
        all its codes in printed order; for a select-all question one nullable boolean column per
        option, `option_column(id, code)`. A question left blank is missing in all its columns.

    Raises
        ValueError: an unknown question or option, an answer of the wrong shape, a key that
        occurs twice (that person would count twice), or a question named like a column above.

    Example: `SubmissionRow("a", 1, "scanned", 7, {"q1": "aware", "q2": ["leaflet", "home_visit"]})`
    of the Beian survey gives `aware` in `q1`, true in `q2:leaflet` and `q2:home_visit`, false in
    the five other `q2` columns, and missing in `q3` to `q12`.
    """
    sheets = list(rows)
    _refuse_doubled([row.key for row in sheets])
    _refuse_unknown_questions(questionnaire, sheets)
    columns = {
        "key": pd.Series([row.key for row in sheets], dtype="str"),
        "area": pd.Series([row.area for row in sheets], dtype="int64"),
        "channel": pd.Series([row.channel for row in sheets], dtype="str"),
        "batch": pd.Series([row.batch for row in sheets], dtype="Int64"),
    }
    for question in questionnaire.questions:
        columns |= _question_columns(question, [row.answers.get(question.id) for row in sheets])
    return pd.DataFrame(columns)


def option_column(question_id: str, code: str) -> str:
    """Return the name of the column that says who chose this option of a select-all question."""
    return f"{question_id}:{code}"


def option_counts(frame: pd.DataFrame, question: Question) -> dict[str, int]:
    """Return how many chose each option, in printed order, options that nobody chose included."""
    if question.kind is QuestionKind.MULTIPLE:
        columns = {code: frame[option_column(question.id, code)] for code in question.codes}
    else:
        columns = {code: frame[question.id] == code for code in question.codes}
    return {code: int(column.sum()) for code, column in columns.items()}


def count_answered(frame: pd.DataFrame, question: Question) -> int:
    """Return how many people did not leave the question blank."""
    if question.kind is QuestionKind.MULTIPLE:
        return int(frame[option_column(question.id, question.codes[0])].count())
    return int(frame[question.id].count())


def _question_columns(question: Question, answers: Sequence[Answer | None]) -> dict[str, pd.Series]:
    if question.kind is QuestionKind.MULTIPLE:
        return _chosen_options(question, answers)
    return {question.id: _chosen_option(question, answers)}


def _chosen_option(question: Question, answers: Sequence[Answer | None]) -> pd.Series:
    for answer in answers:
        if answer is not None and answer not in question.codes:
            raise ValueError(f"{question.id}: {answer!r} is none of its options")
    return pd.Series(answers, dtype=pd.CategoricalDtype(list(question.codes)))


def _chosen_options(question: Question, answers: Sequence[Answer | None]) -> dict[str, pd.Series]:
    known = set(question.codes)
    for answer in answers:
        if isinstance(answer, str) or not known.issuperset(answer or ()):
            raise ValueError(f"{question.id}: {answer!r} is no sequence of its options")
    # Nobody can tell "none of these" from "did not answer", so an empty choice is a blank.
    return {
        option_column(question.id, code): pd.Series(
            [code in answer if answer else None for answer in answers], dtype="boolean"
        )
        for code in question.codes
    }


def _refuse_doubled(keys: Sequence[Hashable]) -> None:
    if len(set(keys)) < len(keys):
        raise ValueError("a submission key occurs twice")


def _refuse_unknown_questions(
    questionnaire: Questionnaire, sheets: Iterable[SubmissionRow]
) -> None:
    known = {question.id for question in questionnaire.questions}
    if clash := known & set(ABOUT):
        raise ValueError(f"questions must not be named {sorted(clash)}")
    for row in sheets:
        if unknown := set(row.answers) - known:
            raise ValueError(f"submission {row.key}: no questions {sorted(unknown)}")
