"""From answer sheets to one wide, coded table: a row per submission, columns per question."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, assert_never

import pandas as pd

from surveys.answers import asked_questions
from surveys.logic import is_date, is_number
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
        single, scale, nps: a categorical column named by the id, whose categories are all its
            codes in printed order;
        matrix: such a column for each row, `QUESTION.ROW`;
        multiple: one nullable boolean column per option, `option_column(id, code)`;
        number: float64; date: datetime64[s];
        ranking: the rank (Int64) for each option, `QUESTION.OPTION`;
        text, number, date, ranking: one nullable boolean column for each 不清楚 or 不适用 option,
            `option_column(id, code)`;
        a question that the logic asks of some only: `asked_column(id)` (bool).
        A question that was left blank or not asked is missing in all its columns but the last.
        Texts are in no frame.

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
        columns |= _question_columns(question, [row.answers for row in sheets])
    return pd.DataFrame(columns | _asked_columns(questionnaire, sheets))


def option_column(question_id: str, code: str) -> str:
    """Return the name of the column that says who chose this option among others."""
    return f"{question_id}:{code}"


def asked_column(question_id: str) -> str:
    """Return the name of the column that says whom the logic asked this question.

    Only questions that it does not ask of everybody have one. The rows of a matrix share theirs.
    """
    return f"{question_id.partition('.')[0]}?"


def were_asked(frame: pd.DataFrame, question_id: str) -> pd.Series:
    """Return for every person whether they were asked a question, or the row of a matrix."""
    everybody = pd.Series(data=True, index=frame.index, dtype="bool")
    return frame.get(asked_column(question_id), everybody)


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


def _question_columns(
    question: Question, sheets: Sequence[Mapping[str, Answer]]
) -> dict[str, pd.Series]:
    answers = [sheet.get(question.id) for sheet in sheets]
    match question.kind:
        case QuestionKind.MULTIPLE:
            return _chosen_options(question, answers)
        case QuestionKind.SINGLE | QuestionKind.SCALE | QuestionKind.NPS | QuestionKind.MATRIX:
            return {
                part.id: _chosen_option(part, [sheet.get(part.id) for sheet in sheets])
                for part in question.parts
            }
        case QuestionKind.NUMBER | QuestionKind.DATE:
            return _typed_values(question, answers) | _unsure_flags(question, answers)
        case QuestionKind.RANKING:
            return _ranks(question, sheets)
        case QuestionKind.TEXT | QuestionKind.INFORMATION:
            return _unsure_flags(question, answers)
        case _:
            assert_never(question.kind)


def _asked_columns(
    questionnaire: Questionnaire, sheets: Sequence[SubmissionRow]
) -> dict[str, pd.Series]:
    """Say who was asked what, decided again from the answers: what was not asked is not stored."""
    routed = [
        question.id
        for section in questionnaire.sections
        for question in section.questions
        if section.relevant or question.relevant
    ]
    if not routed:
        return {}
    asked = [asked_questions(questionnaire, row.answers) for row in sheets]
    return {
        asked_column(name): pd.Series([name in each for each in asked], dtype="bool")
        for name in routed
    }


def _typed_values(question: Question, answers: Sequence[Answer | None]) -> dict[str, pd.Series]:
    typed = [None if answer in question.codes else answer for answer in answers]
    for answer in typed:
        if answer is not None and not _is_typed(question, answer):
            raise ValueError(f"{question.id}: {answer!r} is no {question.kind}")
    dtype = "float64" if question.kind is QuestionKind.NUMBER else "datetime64[s]"
    return {question.id: pd.Series(typed, dtype=dtype)}


def _is_typed(question: Question, answer: Answer) -> bool:
    if not isinstance(answer, str):
        return False
    return is_number(answer) if question.kind is QuestionKind.NUMBER else is_date(answer)


def _ranks(question: Question, sheets: Sequence[Mapping[str, Answer]]) -> dict[str, pd.Series]:
    names = [f"{question.id}.{option.code}" for option in question.ranked]
    ranks = {name: [sheet.get(name) for sheet in sheets] for name in names}
    possible = {str(rank) for rank in range(1, len(names) + 1)}
    for name, given in ranks.items():
        for rank in given:
            if rank is not None and rank not in possible:
                raise ValueError(f"{name}: {rank!r} is no rank")
    answers = [
        sheet.get(question.id) or next((sheet[name] for name in names if name in sheet), None)
        for sheet in sheets
    ]
    numbers = {
        name: pd.Series([None if rank is None else int(str(rank)) for rank in given], dtype="Int64")
        for name, given in ranks.items()
    }
    return numbers | _unsure_flags(question, answers)


def _unsure_flags(question: Question, answers: Sequence[Answer | None]) -> dict[str, pd.Series]:
    return {
        option_column(question.id, option.code): pd.Series(
            [None if answer is None else answer == option.code for answer in answers],
            dtype="boolean",
        )
        for option in question.unsure
    }


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
    known = {name for question in questionnaire.questions for name in question.fields}
    if clash := known & set(ABOUT):
        raise ValueError(f"questions must not be named {sorted(clash)}")
    for row in sheets:
        if unknown := set(row.answers) - known:
            raise ValueError(f"submission {row.key}: no questions {sorted(unknown)}")
