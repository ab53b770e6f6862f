"""The questionnaire as data: frozen values, made only by `surveys.reading`, which checks them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, PlainSerializer

from surveys.languages import LANGUAGES, Language

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
# A question, or `QUESTION.ROW`: the one row of a matrix.
Part = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}(\.[a-z][a-z0-9_-]{0,63})?$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
# Sorted when written, so that the same questionnaire always has the same digest.
Codes = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]

Say = Callable[[str, str], str]
"""Given the place of a text in a questionnaire and the text, what to say there instead."""

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
    SCALE = "scale"
    MATRIX = "matrix"
    NPS = "nps"
    NUMBER = "number"
    DATE = "date"
    RANKING = "ranking"
    INFORMATION = "information"


class OptionKind(StrEnum):
    """What choosing an option means to a rate."""

    ORDINARY = "ordinary"
    DONT_KNOW = "dont_know"
    NOT_APPLICABLE = "not_applicable"


class MeasureKind(StrEnum):
    """What a measure is called in a report: 满意度, 知晓率, 占比, 平均分, 净推荐值.

    A score is a mean of 0 to 100 points and no share of people, though both are called 满意度.
    """

    SATISFACTION = "satisfaction"
    AWARENESS = "awareness"
    SHARE = "share"
    SCORE = "score"
    NPS = "nps"


class Base(StrEnum):
    """Who is in the denominator (STATISTICS.md §1)."""

    INTERVIEWED = "interviewed"
    ROUTED = "routed"
    VALID = "valid"


class DontKnow(StrEnum):
    """Whether 不清楚 counts as an answer that is not positive, or is left out of the base."""

    IN_BASE = "in_base"
    LEFT_OUT = "left_out"


class Composite(StrEnum):
    """How the answers to several questions become one rate.

    The mean of the questions' rates; all answers in one base; or the mean of what each person
    said over the questions that count for that person.
    """

    MEAN = "mean"
    POOLED = "pooled"
    PERSON = "person"


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

    `takes_text` lets who chooses it say more in their own words ("其他，请写明"). Whoever chooses
    an `exclusive` one ("以上都没有") chooses no other.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    code: Identifier
    text: Text
    kind: OptionKind = OptionKind.ORDINARY
    takes_text: Annotated[bool, _added(default=False)] = False
    exclusive: Annotated[bool, _added(default=False)] = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a matrix: what is judged by the options that all its lines share."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Identifier
    text: Text


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its options in printed order.

    A question that is answered by typing or ranking, or on numbered points, has options to say
    that one cannot: 不清楚, 不适用. Which keys go with which kind, and what they mean, is in
    docs/questionnaire-format.md; `surveys.contradictions` refuses the others.
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
    fewest: Annotated[int | None, _added(None, ge=1)] = None
    most: Annotated[int | None, _added(None, ge=1)] = None
    points: Annotated[int | None, _added(None, ge=2, le=11)] = None
    ends: Annotated[tuple[Text, Text] | None, _added(None)] = None
    rows: Annotated[tuple[Row, ...], _added(())] = ()
    lowest: Annotated[Decimal | None, _added(None)] = None
    highest: Annotated[Decimal | None, _added(None)] = None
    decimals: Annotated[int, _added(0, ge=0, le=6)] = 0
    unit: Annotated[str, _added("")] = ""
    earliest: Annotated[date | None, _added(None)] = None
    latest: Annotated[date | None, _added(None)] = None
    relevant: Annotated[str, _added("")] = ""
    constraint: Annotated[str, _added("")] = ""
    constraint_message: Annotated[str, _added("")] = ""

    @property
    def choices(self) -> tuple[Option, ...]:
        """Everything that can be chosen, in printed order: the numbered points, then the options.

        The code of a point is its number; the points at the ends say what they mean.
        """
        if self.points is None and self.kind is not QuestionKind.NPS:
            return self.options
        first, last = (0, 10) if self.points is None else (1, self.points)
        low, high = self.ends or ("", "")
        named = {first: f"{first} {low}".strip(), last: f"{last} {high}".strip()}
        points = (
            Option(str(point), named.get(point, str(point))) for point in range(first, last + 1)
        )
        return (*points, *self.options)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of what can be chosen, in printed order."""
        return tuple(option.code for option in self.choices)

    @property
    def is_chosen_once(self) -> bool:
        """Whether its answer is one code: the kinds of which a rate can be made."""
        return self.kind in {QuestionKind.SINGLE, QuestionKind.SCALE, QuestionKind.NPS}

    @property
    def parts(self) -> tuple["Question", ...]:
        """The rows of a matrix as scales, `QUESTION.ROW`; any other question is its only part."""
        if self.kind is not QuestionKind.MATRIX:
            return (self,)
        return tuple(
            replace(
                self,
                id=f"{self.id}.{row.id}",
                number=f"{self.number}-{position}",
                text=row.text,
                kind=QuestionKind.SCALE,
                rows=(),
            )
            for position, row in enumerate(self.rows, 1)
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """The names under which its coded answers are stored."""
        match self.kind:
            case QuestionKind.MATRIX:
                return tuple(part.id for part in self.parts)
            case QuestionKind.RANKING:
                return (self.id, *(f"{self.id}.{option.code}" for option in self.ranked))
            case QuestionKind.INFORMATION:
                return ()
            case _:
                return (self.id,)

    @property
    def ranked(self) -> tuple[Option, ...]:
        """The options of a ranking that take a rank."""
        return tuple(option for option in self.options if option.kind is OptionKind.ORDINARY)

    @property
    def unsure(self) -> tuple[Option, ...]:
        """The options that say 不清楚 or 不适用."""
        return tuple(option for option in self.options if option.kind is not OptionKind.ORDINARY)

    def retold(self, say: Say) -> "Question":
        """Return it with other words; codes stay."""
        place = f"questions.{self.id}"
        low, high = self.ends or ("", "")
        return replace(
            self,
            text=say(f"{place}.text", self.text),
            hint=say(f"{place}.hint", self.hint),
            unit=say(f"{place}.unit", self.unit),
            constraint_message=say(f"{place}.constraint_message", self.constraint_message),
            ends=self.ends and (say(f"{place}.ends.low", low), say(f"{place}.ends.high", high)),
            options=tuple(
                replace(option, text=say(f"{place}.options.{option.code}", option.text))
                for option in self.options
            ),
            rows=tuple(
                replace(row, text=say(f"{place}.rows.{row.id}", row.text)) for row in self.rows
            ),
        )


@dataclass(frozen=True, slots=True)
class Section:
    """Questions that stand together under one heading."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Identifier
    title: Text
    questions: Annotated[tuple[Question, ...], Field(min_length=1)]
    relevant: Annotated[str, _added("")] = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a measure, with the option codes that count as positive.

    `unsure` holds the codes of the question's 不清楚 and 不适用 options; the parser fills it from
    the options, so that a rate can be computed from the measure alone. `credit` says which
    positive options count less than one whole answer; of a score it holds the points of every
    option. `weight` is what the question counts beside the others of its measure.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    question: Part
    positive: Codes = frozenset()
    unsure: Codes = frozenset()
    credit: Annotated[dict[str, Annotated[Decimal, Field(ge=0, le=100)]], _added({})] = field(
        default_factory=dict, hash=False
    )
    weight: Annotated[Decimal, _added(Decimal(1), gt=0)] = Decimal(1)


@dataclass(frozen=True, slots=True)
class Measure:
    """The frozen definition of a rate over this questionnaire's answers.

    `items` holds one question, or several with a `composite` rule. With `per_option` the measure
    is one share of respondents for each option of a select-all question; such shares sum to more
    than 1. `decimals` says how the percentage is printed (half up), never how it is computed.
    `reading_of` names the measure whose words can be read in this way too.
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
    reading_of: Annotated[Identifier | None, _added(None)] = None


@dataclass(frozen=True, slots=True)
class Table:
    """A frequency table in the layout of a report: which questions, under which headings."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Identifier
    title: Text
    layout: TableLayout
    questions: Annotated[tuple[Part, ...], Field(min_length=1)]
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
    # By language tag, then by the place of a text, as `texts` names it.
    translations: Annotated[dict[str, dict[str, Text]], _added({})] = field(
        default_factory=dict, hash=False
    )

    @property
    def questions(self) -> tuple[Question, ...]:
        """All questions in printed order."""
        return tuple(question for section in self.sections for question in section.questions)

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages in which it can be read, its own first, the others in order of tags."""
        tags = (self.language, *sorted(self.translations))
        return tuple(LANGUAGES.get(tag, Language(tag, tag)) for tag in tags)

    @property
    def texts(self) -> Mapping[str, str]:
        """Every text that residents read, by its place: what a translation can replace."""
        found: dict[str, str] = {}

        def note(place: str, text: str) -> str:
            if text:
                found[place] = text
            return text

        self._retold(note)
        return found

    def in_language(self, tag: str) -> "Questionnaire":
        """Return it in one of its languages; what is not translated stays as it is.

        Codes and version stay, so an answer is the same answer in every language. Raises
        `KeyError` when the language is not offered.
        """
        if tag == self.language:
            return self
        texts = self.translations[tag]
        return replace(self._retold(texts.get), language=tag)

    def question(self, question_id: str) -> Question:
        """Return the question with this id, or the row of a matrix as a scale (`QUESTION.ROW`).

        Raises `KeyError` when there is none.
        """
        for question in self.questions:
            for found in (question, *question.parts):
                if found.id == question_id:
                    return found
        raise KeyError(question_id)

    def measure(self, measure_id: str) -> Measure:
        """Return the measure with this id. Raises `KeyError` when there is none."""
        for measure in self.measures:
            if measure.id == measure_id:
                return measure
        raise KeyError(measure_id)

    def _retold(self, say: Say) -> "Questionnaire":
        return replace(
            self,
            title=say("title", self.title),
            introduction=say("introduction", self.introduction),
            sections=tuple(
                replace(
                    section,
                    title=say(f"sections.{section.id}.title", section.title),
                    questions=tuple(question.retold(say) for question in section.questions),
                )
                for section in self.sections
            ),
        )
