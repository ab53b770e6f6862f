"""The questionnaire as data: frozen values, read from TOML or JSON and checked before use."""

from dataclasses import dataclass
from enum import StrEnum


class QuestionKind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTIPLE = "multiple"


class OptionKind(StrEnum):
    """What choosing an option means to a rate."""

    ORDINARY = "ordinary"
    DONT_KNOW = "dont_know"
    NOT_APPLICABLE = "not_applicable"


class MeasureKind(StrEnum):
    """What a measure is called in a report: 满意度, 知晓率, 占比."""

    SATISFACTION = "satisfaction"
    AWARENESS = "awareness"
    SHARE = "share"


class Base(StrEnum):
    """Who is in the denominator (STATISTICS.md §1)."""

    INTERVIEWED = "interviewed"
    VALID = "valid"


class DontKnow(StrEnum):
    """Whether 不清楚 counts as an answer that is not positive, or is left out of the base."""

    IN_BASE = "in_base"
    LEFT_OUT = "left_out"


class Composite(StrEnum):
    """How the rates of several questions become one."""

    MEAN = "mean"
    POOLED = "pooled"


class TableLayout(StrEnum):
    """How a frequency table is set: questions beside each other, or one under another."""

    SIDE_BY_SIDE = "side_by_side"
    STACKED = "stacked"


@dataclass(frozen=True, slots=True)
class Source:
    """The document a questionnaire was taken from, and the place in it."""

    document: str
    place: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that can be chosen; analysis knows it by `code` only."""

    code: str
    text: str
    kind: OptionKind = OptionKind.ORDINARY


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its options in printed order."""

    id: str
    number: str
    text: str
    kind: QuestionKind
    options: tuple[Option, ...]
    required: bool = True
    hint: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """The option codes in printed order."""
        return tuple(option.code for option in self.options)


@dataclass(frozen=True, slots=True)
class Section:
    """Questions that stand together under one heading."""

    id: str
    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a measure, with the option codes that count as positive.

    `unsure` holds the codes of the question's 不清楚 and 不适用 options; the parser fills it from
    the options, so that a rate can be computed from the measure alone.
    """

    question: str
    positive: frozenset[str]
    unsure: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Measure:
    """The frozen definition of a rate over this questionnaire's answers.

    `items` holds one question, or several with a `composite` rule. With `per_option` the measure
    is one share of respondents for each option of a select-all question; such shares sum to more
    than 1. `decimals` and `rounding` say how the percentage is printed, never how it is computed.
    """

    id: str
    name: str
    kind: MeasureKind
    items: tuple[Item, ...]
    base: Base
    dont_know: DontKnow
    composite: Composite | None = None
    per_option: bool = False
    decimals: int = 2
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A frequency table in the layout of a report: which questions, under which headings."""

    id: str
    title: str
    layout: TableLayout
    questions: tuple[str, ...]
    headings: tuple[str, ...]
    show_total: bool = True


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """Everything that is asked in one survey, and what its answers measure."""

    id: str
    version: int
    title: str
    language: str
    introduction: str
    source: Source
    sections: tuple[Section, ...]
    measures: tuple[Measure, ...]
    tables: tuple[Table, ...]

    @property
    def questions(self) -> tuple[Question, ...]:
        """All questions in printed order."""
        return tuple(question for section in self.sections for question in section.questions)

    def question(self, question_id: str) -> Question:
        """Return the question with this id. Raises `KeyError` when there is none."""
        for question in self.questions:
            if question.id == question_id:
                return question
        raise KeyError(question_id)

    def measure(self, measure_id: str) -> Measure:
        """Return the measure with this id. Raises `KeyError` when there is none."""
        for measure in self.measures:
            if measure.id == measure_id:
                return measure
        raise KeyError(measure_id)
