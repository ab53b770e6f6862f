"""The questionnaire as data: frozen values, made only by `surveys.reading`, which checks them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, PlainSerializer

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
# Sorted when written, so that the same questionnaire always has the same digest.
Codes = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]

LONGEST_TEXT = 500
"""Characters that a typed answer may have, unless its question says otherwise."""


def _added(default: object, **limits: Any) -> Any:  # noqa: ANN401 - both as in pydantic's Field
    """Mark a field that the format gained later.

    At its default it is not written, so that the snapshots of surveys published before keep their
    digests. The default itself must never change.
    """
    return Field(exclude_if=lambda value: value == default, **limits)


# A misspelt key would otherwise be dropped in silence, and with it what its author meant.
_STRICT = ConfigDict(extra="forbid")


class QuestionKind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    TEXT = "text"


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

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    document: Text
    place: Text
    note: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that can be chosen; analysis knows it by `code` only.

    `takes_text` lets who chooses it say more in their own words ("其他，请写明").
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    code: Identifier
    text: Text
    kind: OptionKind = OptionKind.ORDINARY
    takes_text: Annotated[bool, _added(default=False)] = False


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its options in printed order.

    A question that is answered by typing has options only to say that one cannot: 不清楚, 不适用.
    `longest` is the most characters of a typed text, also of one that an option takes.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Identifier
    number: Text
    text: Text
    kind: QuestionKind
    options: tuple[Option, ...] = ()
    required: bool = True
    hint: str = ""
    longest: Annotated[int, _added(LONGEST_TEXT, ge=1, le=5000)] = LONGEST_TEXT
    multiline: Annotated[bool, _added(default=False)] = False

    @property
    def codes(self) -> tuple[str, ...]:
        """The option codes in printed order."""
        return tuple(option.code for option in self.options)


@dataclass(frozen=True, slots=True)
class Section:
    """Questions that stand together under one heading."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Identifier
    title: Text
    questions: Annotated[tuple[Question, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a measure, with the option codes that count as positive.

    `unsure` holds the codes of the question's 不清楚 and 不适用 options; the parser fills it from
    the options, so that a rate can be computed from the measure alone.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    question: Identifier
    positive: Codes
    unsure: Codes = frozenset()


@dataclass(frozen=True, slots=True)
class Measure:
    """The frozen definition of a rate over this questionnaire's answers.

    `items` holds one question, or several with a `composite` rule. With `per_option` the measure
    is one share of respondents for each option of a select-all question; such shares sum to more
    than 1. `decimals` says how the percentage is printed (half up), never how it is computed.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Identifier
    name: Text
    kind: MeasureKind
    items: Annotated[tuple[Item, ...], Field(min_length=1)]
    base: Base
    dont_know: DontKnow
    composite: Composite | None = None
    per_option: bool = False
    decimals: Annotated[int, Field(ge=0, le=6)] = 2
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A frequency table in the layout of a report: which questions, under which headings."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Identifier
    title: Text
    layout: TableLayout
    questions: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    headings: tuple[Text, ...]
    show_total: bool = True


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """Everything that is asked in one survey, and what its answers measure."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Identifier
    version: Annotated[int, Field(ge=1)]
    title: Text
    language: Text
    introduction: Text
    source: Source
    sections: Annotated[tuple[Section, ...], Field(min_length=1)]
    measures: tuple[Measure, ...] = ()
    tables: tuple[Table, ...] = ()

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
