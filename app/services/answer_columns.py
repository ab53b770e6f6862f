"""Which column of a table answers which question: the template's own, or another system's."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

from app.errors import Problem, Sentence
from app.errors import say as _
from app.spreadsheets.parsing import MOST_COLUMNS
from app.spreadsheets.reading import Column, Row, row_fault
from app.spreadsheets.writing import Sheet
from surveys.answers import AnswerFault
from surveys.questionnaire import Option, Question, QuestionKind, Questionnaire

# Headings and words of the template are the format of a file and the same in every language.
KEY, AREA, YES = "编号", "片区", "是"
_YES = {"是", "1", "√", "✓", "✔", "y", "yes", "true", "选中"}
_NO = {"", "否", "0", "×", "n", "no", "false", "未选中"}
_LONGEST_TEXT = 40
# How exports put several choices into one cell; the second only where the first leaves no option.
_BETWEEN_CHOICES = (re.compile(r"[┋;；|\n]"), re.compile(r"[┋;；|\n,，、]"))
_ALIASES = re.compile(r"[|｜]")


class Way(StrEnum):
    """What a cell holds: words that name choices, a yes to one option, or what was typed."""

    CHOSEN = "chosen"
    TICKED = "ticked"
    TYPED = "typed"


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """One column that answers can stand in; `question` may be a row of a matrix.

    The template has a column for each option of a select-all question; the one that holds all
    choices together (`is_joined`) is for other systems' tables.
    """

    id: str
    heading: str
    way: Way
    question: Question
    option: Option | None = None
    is_joined: bool = False


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Where a table has its row numbers, areas and answers, and in which words.

    `columns` are headings by column id; `words` are codes by question id and folded word.
    """

    source: str
    key: str
    area: str
    columns: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]

    def wanted(self) -> list[Column]:
        """Return what the table must have; no answer is lost because a heading was misspelt."""
        names = dict.fromkeys([self.key, *self.columns.values()])
        names.pop(self.area, None)
        return [*map(Column, names), *([Column(self.area, is_required=False)] if self.area else [])]


def answer_columns(questionnaire: Questionnaire) -> tuple[AnswerColumn, ...]:
    """Return every column that answers to a questionnaire can stand in, in printed order."""
    found = [
        column
        for question in questionnaire.questions
        for part in question.parts
        for column in _columns(part)
    ]
    counts = Counter(column.heading for column in found if not column.is_joined)
    doubled = {heading for heading, count in counts.items() if count > 1}
    if doubled:
        raise Problem(_("问卷里有题号和题目都相同的题，不能做成表格。"))
    return tuple(found)


def _columns(question: Question) -> Iterator[AnswerColumn]:
    text = question.text if len(question.text) <= _LONGEST_TEXT else question.text[:39] + "…"
    heading = f"{question.number}. {' '.join(text.split())}"

    def of_option(option: Option, way: Way, sign: str, what: str = "") -> AnswerColumn:
        name = f"{heading}：{option.text}{what}"
        return AnswerColumn(f"{question.id}{sign}{option.code}", name, way, question, option)

    match question.kind:
        case QuestionKind.SINGLE | QuestionKind.SCALE | QuestionKind.NPS:
            yield AnswerColumn(question.id, heading, Way.CHOSEN, question)
        case QuestionKind.MULTIPLE:
            yield AnswerColumn(question.id, heading, Way.CHOSEN, question, is_joined=True)
            yield from (of_option(option, Way.TICKED, ":") for option in question.options)
        case QuestionKind.TEXT | QuestionKind.NUMBER | QuestionKind.DATE:
            yield AnswerColumn(question.id, heading, Way.TYPED, question)
            return
        case QuestionKind.RANKING:
            yield from (of_option(one, Way.TYPED, ".", "（名次）") for one in question.ranked)
            yield from (of_option(one, Way.TICKED, ":") for one in question.unsure)
            return
        case QuestionKind.MATRIX | QuestionKind.INFORMATION:
            return
        case _:
            assert_never(question.kind)
    for option in question.options:
        if option.takes_text:
            yield of_option(option, Way.TYPED, ".", "（写明）")


def template_mapping(questionnaire: Questionnaire) -> ColumnMapping:
    """Return the mapping of the template that this house hands out itself."""
    columns = [each for each in answer_columns(questionnaire) if not each.is_joined]
    if len(columns) + 2 > MOST_COLUMNS:
        raise Problem(_("问卷的选项太多，做成表格会超过 %(most)s 列。", most=MOST_COLUMNS))
    headings = {each.id: each.heading for each in columns}
    return ColumnMapping("", KEY, AREA, headings, _own_words(questionnaire))


def saved_mapping(
    questionnaire: Questionnaire, name: str, document: Mapping[str, Any]
) -> ColumnMapping:
    """Return a mapping as it was saved: headings by column id, and words by question and code."""
    words = {question: dict(codes) for question, codes in _own_words(questionnaire).items()}
    for question, by_code in document["words"].items():
        for code, text in by_code.items():
            words[question].update({fold(word): code for word in _ALIASES.split(text)})
    return ColumnMapping(name, document["key"], document["area"], document["columns"], words)


def _own_words(questionnaire: Questionnaire) -> dict[str, dict[str, str]]:
    found = {}
    for question in questionnaire.questions:
        for part in question.parts:
            codes = {fold(code): code for code in part.codes}
            found[part.id] = codes | {fold(one.text): one.code for one in part.choices}
    return found


def fold(word: str) -> str:
    """Return what is the same of two ways to write a word."""
    return "".join(unicodedata.normalize("NFKC", word).casefold().split())


def slip_number(typed: str) -> str:
    """Return the one way to write a paper slip's number: "００12 " and "12" are one, also "a-1"."""
    number = fold(typed).upper()
    return number.lstrip("0") or "0" if number.isdecimal() else number


def read_answers(
    mapping: ColumnMapping, columns: Sequence[AnswerColumn], row: Row
) -> tuple[dict[str, list[str]], list[Sentence]]:
    """Return a row's answers as a form would send them, and what is wrong with its cells."""
    raw: dict[str, list[str]] = defaultdict(list)
    faults: list[Sentence] = []
    for column in columns:
        heading = mapping.columns.get(column.id)
        text = row.cells.get(heading, "") if heading else ""
        if not heading or not text:
            continue
        words = mapping.words[column.question.id]
        match column.way:
            case Way.CHOSEN:
                codes, unknown = _choices(text, words, is_joined=column.is_joined)
                raw[column.question.id] += codes
                if unknown:
                    what = _("没有“%(text)s”这个选项。", text=unknown)
                    faults.append(row_fault(row.number, heading, what))
            case Way.TICKED if fold(text) in _YES:
                name, value = _tick(column)
                raw[name].append(value)
            case Way.TICKED if fold(text) not in _NO:
                what = _("选了的填“是”，没选的留空。")
                faults.append(row_fault(row.number, heading, what))
            case Way.TYPED:
                unsure = {fold(one.text): one.code for one in column.question.unsure}
                code = unsure.get(fold(text)) if column.option is None else None
                raw[f"{column.question.id}.{code}" if code else column.id].append(code or text)
    return raw, faults


def _choices(text: str, words: Mapping[str, str], *, is_joined: bool) -> tuple[list[str], str]:
    """Return the codes that a cell names, and the first word that names none."""
    if fold(text) in words:
        return [words[fold(text)]], ""
    if not is_joined:
        return [], text
    unknown = text
    for separator in _BETWEEN_CHOICES:
        parts = [part for part in separator.split(text) if part.strip()]
        unknown = next((part for part in parts if fold(part) not in words), "")
        if not unknown:
            return [words[fold(part)] for part in parts], ""
    return [], unknown


def _tick(column: AnswerColumn) -> tuple[str, str]:
    code = column.option.code if column.option else ""
    is_multiple = column.question.kind is QuestionKind.MULTIPLE
    return (column.question.id if is_multiple else f"{column.question.id}.{code}"), code


def heading_at_fault(
    mapping: ColumnMapping, columns: Sequence[AnswerColumn], fault: AnswerFault
) -> str:
    """Return the heading of the first column that an answer's fault is about."""
    names = [fault.field, fault.question]
    for name in names:
        for column in columns:
            if name in {column.id, column.question.id} and column.id in mapping.columns:
                return mapping.columns[column.id]
    return fault.question


def template_sheet(title: str, questionnaire: Questionnaire, areas: Sequence[str]) -> Sheet:
    """Return the empty table to fill in: one row for each answer sheet, with what can be chosen."""
    mapping = template_mapping(questionnaire)
    columns = [each for each in answer_columns(questionnaire) if each.id in mapping.columns]
    choices = {1: tuple(areas)}
    for place, column in enumerate(columns, 2):
        if column.way is Way.CHOSEN:
            choices[place] = tuple(option.text for option in column.question.choices)
        elif column.way is Way.TICKED:
            choices[place] = (YES,)
    headings = (KEY, AREA, *(column.heading for column in columns))
    return Sheet(title, headings, (), choices)
