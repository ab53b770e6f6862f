"""Published reports, recomputed: every printed figure against the answers and against itself.

A finding is computed, never written down beforehand: it says what contradicts what, with both
figures, and repairs nothing (STATISTICS.md §7).
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cache
from math import floor
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from analysis.designs import Design
from analysis.frames import SubmissionRow, build_frame, count_answered, option_counts
from analysis.rates import NobodyAnswered, Rate, estimate
from surveys.questionnaire import Measure, QuestionKind, Questionnaire
from surveys.reading import OWN_ERROR, shape_faults

FORMAT = "minping.published/1"
FOLDER = Path(__file__).parent / "documents"

_PERCENT = re.compile(r"\d{1,3}(\.\d{1,4})?")
_STRICT = ConfigDict(extra="forbid")


def _printed_percent(value: object) -> Decimal:
    """Read a percentage from its text: a bare number would lose the zeros at its end."""
    if not isinstance(value, str) or not _PERCENT.fullmatch(value):
        raise PydanticCustomError(OWN_ERROR, "应为加引号的百分比数字，照印出的小数位，不带百分号")
    return Decimal(value)


Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=0)]
People = Annotated[int, Field(strict=True, ge=1)]
Percent = Annotated[Decimal, BeforeValidator(_printed_percent)]


class PublishedError(ValueError):
    """A file of published figures that cannot be used: which file, where in it, and why."""

    def __init__(self, file: str, place: str, reason: str) -> None:
        self.file = file
        self.place = place
        self.reason = reason
        super().__init__(f"{file}：{place}：{reason}")


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One row of a table as printed; `percent` keeps the printed decimals (2.90 is not 2.9)."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    option: Text
    text: Text
    count: Count
    percent: Percent


@dataclass(frozen=True, slots=True)
class PublishedTotal:
    """The 合计 row as printed."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    count: People
    percent: Percent


@dataclass(frozen=True, slots=True)
class PublishedBlock:
    """The rows of one question in a table."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    place: Text
    question: Text
    heading: Text
    rows: Annotated[tuple[PublishedRow, ...], Field(min_length=1)]
    total: PublishedTotal | None = None


@dataclass(frozen=True, slots=True)
class PublishedStatement:
    """A sentence that prints the percentage of a measure."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    place: Text
    text: Text
    measure: Text
    percent: Percent


@dataclass(frozen=True, slots=True)
class PublishedClaim:
    """A sentence that only says that a measure is more than a percentage (超过)."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    place: Text
    text: Text
    measure: Text
    more_than: Percent


@dataclass(frozen=True, slots=True)
class Published:
    """The figures of one report, in the order in which it prints them."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Text
    document: Text
    questionnaire: Text
    respondents: People
    blocks: tuple[PublishedBlock, ...]
    statements: tuple[PublishedStatement, ...] = ()
    claims: tuple[PublishedClaim, ...] = ()


class Figure(StrEnum):
    """What kind of printed figure is compared."""

    ROW = "row"
    TOTAL = "total"
    STATEMENT = "statement"
    CLAIM = "claim"


class FindingKind(StrEnum):
    """What is wrong with a printed figure.

    The last two need the answers; the others follow from the document alone, `claim` from either.
    """

    IMPOSSIBLE_PERCENTAGE = "impossible_percentage"
    PERCENT_AGAINST_COUNT = "percent_against_count"
    COLUMN_NOT_100 = "column_not_100"
    COUNTS_NOT_N = "counts_not_n"
    TEXT_AGAINST_TABLE = "text_against_table"
    CLAIM = "claim"
    AGAINST_ANSWERS = "against_answers"
    NOBODY_ANSWERED = "nobody_answered"


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction, in a Chinese sentence with both figures."""

    kind: FindingKind
    sentence: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One printed figure beside what the answers give.

    `printed_count` is None for sentences, both printed figures are None for the total of a block
    without a 合计 row. `count`, `base` and `percent` are recomputed; `percent` is rounded half up
    and None when nobody answered; a printed percentage that was cut off instead agrees as well.
    `printed_percent` of a claim is its threshold.
    """

    figure: Figure
    place: str
    what: str
    printed_count: int | None
    printed_percent: Decimal | None
    count: int
    base: int
    percent: Decimal | None
    findings: tuple[Finding, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing contradicts the printed figure."""
        return not self.findings


def load(path: Path) -> Published:
    """Read and check one file. Raises `PublishedError`."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PublishedError(path.name, "文件", f"无法读取：{error}") from error
    except tomllib.TOMLDecodeError as error:
        raise PublishedError(path.name, "文件", f"不是有效的 TOML：{error}") from error
    return _parse(values, path.name)


def _parse(values: dict[str, Any], file: str) -> Published:
    if values.pop("format", None) != FORMAT:
        raise PublishedError(file, "format", f"应为 {FORMAT}")
    try:
        published = TypeAdapter(Published).validate_python(values)
    except ValidationError as error:
        fault = next(shape_faults(error))
        raise PublishedError(file, fault.place, fault.reason) from error
    _refuse_doubled(file, "blocks", [block.question for block in published.blocks])
    for block in published.blocks:
        _refuse_doubled(file, f"blocks.{block.question}", [row.option for row in block.rows])
    return published


def _refuse_doubled(file: str, place: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise PublishedError(file, place, f"“{name}”出现了不止一次")


@cache
def bundled() -> dict[str, Published]:
    """Return every bundled report by id, in order of file name. Raises `PublishedError`."""
    found = {}
    for path in sorted(FOLDER.glob("*.toml")):
        published = load(path)
        if published.id != path.stem:
            raise PublishedError(path.name, "id", f"须与文件名“{path.stem}”相同")
        found[published.id] = published
    return found


def load_bundled(published_id: str) -> Published:
    """Return one bundled report. Raises `KeyError` when there is none with this id."""
    return bundled()[published_id]


def published_counts(published: Published) -> dict[str, dict[str, int]]:
    """Return the printed counts: question id, then option code, in printed order.

    Example: Beian 2020, table 7: `{"q1": {"aware": 82, "unaware": 21}, ...}`.
    """
    return {
        block.question: {row.option: row.count for row in block.rows} for block in published.blocks
    }


def is_possible(percent: Decimal, n: int) -> bool:
    """Tell whether any count out of `n` people prints as this percentage (the GRIM test).

    Both rounding half up and cutting off are allowed, at the printed number of decimals.

    Parameters
        percent: 0 to 100, with its printed decimals.
        n: number of people, at least 1.

    Source: Brown and Heathers (2017), Social Psychological and Personality Science 8:363-369.

    Example: Beian 2020 prints an awareness of 97.22 from 103 people; 100 of them are 97.09 and
    101 are 98.06.

    >>> is_possible(Decimal("97.22"), 103), is_possible(Decimal("79.61"), 103)
    (False, True)
    """
    return any(_prints_as(Fraction(count, n), percent) for count in _nearest_counts(percent, n))


def compare(
    published: Published, frame: pd.DataFrame, questionnaire: Questionnaire, design: Design
) -> tuple[Comparison, ...]:
    """Recompute every printed figure: all table rows and totals, all sentences, all claims.

    Parameters
        frame: answers, as `build_frame` makes it from this questionnaire.
        questionnaire: has the questions, options and measures that the report refers to.
        design: as for `estimate`.

    Returns
        One comparison per printed figure, blocks first, then statements, then claims; one for
        the total of every block even where the report prints none.

    Raises
        PublishedError: the report refers to something that the questionnaire lacks.

    Source: STATISTICS.md §7.

    Example: Beian 2020, table 4 prints 29 people as 17.91: no count of 103 gives that, and 29
    gives 28.16.
    """
    _refuse_unknown(published, questionnaire)
    evidence = _Evidence(
        published, questionnaire, frame, _printed_frame(published, questionnaire), design
    )
    return (
        *(found for block in published.blocks for found in _compare_block(block, evidence)),
        *(_compare_statement(statement, evidence) for statement in published.statements),
        *(_compare_claim(claim, evidence) for claim in published.claims),
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the printed figures are compared with."""

    published: Published
    questionnaire: Questionnaire
    frame: pd.DataFrame
    printed_frame: pd.DataFrame
    design: Design

    def rate(self, measure: Measure) -> Rate | None:
        return _rate_or_none(self.frame, measure, self.design)

    def table_rate(self, measure: Measure) -> Rate | None:
        """Return the rate that the printed tables give; None when they lack a question of it."""
        return _rate_or_none(self.printed_frame, measure, self.design)


def _rate_or_none(frame: pd.DataFrame, measure: Measure, design: Design) -> Rate | None:
    try:
        return estimate(frame, measure, design)
    except NobodyAnswered:
        return None


def _printed_frame(published: Published, questionnaire: Questionnaire) -> pd.DataFrame:
    """Lay the printed counts out as answers, so that one function computes every rate.

    Which answers came from the same person is not printed; only rates may be taken from this
    frame, never an interval. Select-all questions are left blank: their rates need the persons.
    """
    columns = {
        question: [code for code, count in counts.items() for _ in range(count)]
        for question, counts in published_counts(published).items()
        if questionnaire.question(question).kind is QuestionKind.SINGLE
    }
    people = max([published.respondents, *map(len, columns.values())])
    return build_frame(
        questionnaire,
        (
            SubmissionRow(
                key=str(person),
                area=0,
                channel="printed",
                batch=None,
                answers={q: codes[person] for q, codes in columns.items() if person < len(codes)},
            )
            for person in range(people)
        ),
    )


def _compare_block(block: PublishedBlock, evidence: _Evidence) -> Iterator[Comparison]:
    question = evidence.questionnaire.question(block.question)
    counts = option_counts(evidence.frame, question)
    base = count_answered(evidence.frame, question)
    printed_n = block.total.count if block.total else evidence.published.respondents
    for row in block.rows:
        count = counts[row.option]
        share = Fraction(count, base) if base else None
        percent = _recomputed(share, _places(row.percent))
        yield Comparison(
            figure=Figure.ROW,
            place=block.place,
            what=f"{block.heading}：{row.text}",
            printed_count=row.count,
            printed_percent=row.percent,
            count=count,
            base=base,
            percent=percent,
            findings=(
                *_impossible(row.percent, printed_n),
                *_against_count(row, printed_n),
                *_against_answers(
                    count, base, percent, agrees=row.count == count and _agrees(share, row.percent)
                ),
            ),
        )
    yield _compare_total(block, printed_n, base, is_column=question.kind is QuestionKind.SINGLE)


def _compare_total(
    block: PublishedBlock, printed_n: int, base: int, *, is_column: bool
) -> Comparison:
    places = max(_places(row.percent) for row in block.rows)
    percent = _recomputed(Fraction(1) if base else None, places)
    total = block.total
    agrees = total is None or (total.count, total.percent) == (base, percent)
    # The options of a select-all question overlap; their column need not add up to anything.
    column = (*_counts_not_n(block, printed_n), *_column_not_100(block, places))
    return Comparison(
        figure=Figure.TOTAL,
        place=block.place,
        what=f"{block.heading}：合计",
        printed_count=total.count if total else None,
        printed_percent=total.percent if total else None,
        count=base,
        base=base,
        percent=percent,
        findings=(
            *(column if is_column else ()),
            *_against_answers(base, base, percent, agrees=agrees),
        ),
    )


def _compare_statement(statement: PublishedStatement, evidence: _Evidence) -> Comparison:
    measure = evidence.questionnaire.measure(statement.measure)
    rate, table_rate = evidence.rate(measure), evidence.table_rate(measure)
    # At the printed decimals, not the measure's: a sentence that says 80% is not wrong by .58.
    value = rate.value if rate else None
    percent = _recomputed(value, _places(statement.percent))
    count, base = (rate.numerator, rate.base) if rate else (0, 0)
    n = table_rate.base if table_rate else evidence.published.respondents
    return Comparison(
        figure=Figure.STATEMENT,
        place=statement.place,
        what=statement.text,
        printed_count=None,
        printed_percent=statement.percent,
        count=count,
        base=base,
        percent=percent,
        findings=(
            # A mean of several rates is no count out of n people.
            *(_impossible(statement.percent, n) if measure.composite is None else ()),
            *_against_table(statement, measure, table_rate, evidence.published),
            *_against_answers(count, base, percent, agrees=_agrees(value, statement.percent)),
        ),
    )


def _compare_claim(claim: PublishedClaim, evidence: _Evidence) -> Comparison:
    measure = evidence.questionnaire.measure(claim.measure)
    rate = evidence.rate(measure)
    percent = _recomputed(rate.value if rate else None, measure.decimals)
    return Comparison(
        figure=Figure.CLAIM,
        place=claim.place,
        what=claim.text,
        printed_count=None,
        printed_percent=claim.more_than,
        count=rate.numerator if rate else 0,
        base=rate.base if rate else 0,
        percent=percent,
        findings=tuple(_claim_findings(claim, rate, percent)),
    )


def _impossible(percent: Decimal, n: int) -> Iterator[Finding]:
    if not is_possible(percent, n):
        nearest = "、".join(
            f"{count}人是{_half_up(Fraction(count, n), _places(percent))}%"
            for count in _nearest_counts(percent, n)
        )
        yield Finding(
            FindingKind.IMPOSSIBLE_PERCENTAGE,
            f"{n}人中没有一个人数能得出{percent}%：最接近的{nearest}。",
        )


def _against_count(row: PublishedRow, n: int) -> Iterator[Finding]:
    share = Fraction(row.count, n)
    if not _prints_as(share, row.percent):
        yield Finding(
            FindingKind.PERCENT_AGAINST_COUNT,
            f"同一行印作{row.count}人、{row.percent}%，而{row.count}/{n}"
            f"为{_half_up(share, _places(row.percent))}%。",
        )


def _counts_not_n(block: PublishedBlock, n: int) -> Iterator[Finding]:
    count = sum(row.count for row in block.rows)
    if count != n:
        yield Finding(FindingKind.COUNTS_NOT_N, f"各行人数之和为{count}，与{n}人不符。")


def _column_not_100(block: PublishedBlock, places: int) -> Iterator[Finding]:
    """Say so when the column is further from 100 than rounding of every row can take it."""
    total = sum((row.percent for row in block.rows), Decimal(0))
    allowed = len(block.rows) * Decimal(5).scaleb(-places - 1)
    if abs(total - 100) > allowed:
        yield Finding(
            FindingKind.COLUMN_NOT_100,
            f"各行百分比之和为{total}%，不是100%；四舍五入最多相差{allowed}个百分点。",
        )


def _against_table(
    statement: PublishedStatement, measure: Measure, rate: Rate | None, published: Published
) -> Iterator[Finding]:
    if rate is not None and not _prints_as(rate.value, statement.percent):
        asked = {item.question for item in measure.items}
        places = dict.fromkeys(block.place for block in published.blocks if block.question in asked)
        yield Finding(
            FindingKind.TEXT_AGAINST_TABLE,
            f"正文印作{statement.percent}%，而{'、'.join(places)}为{rate.numerator}/{rate.base}，"
            f"即{_half_up(rate.value, _places(statement.percent))}%。",
        )


def _claim_findings(
    claim: PublishedClaim, rate: Rate | None, percent: Decimal | None
) -> Iterator[Finding]:
    if rate is None:
        yield from _against_answers(0, 0, None, agrees=False)
    elif rate.value * 100 <= Fraction(claim.more_than):
        yield Finding(
            FindingKind.CLAIM,
            f"称超过{claim.more_than}%，而答卷为{rate.numerator}/{rate.base}，即{percent}%。",
        )


def _against_answers(
    count: int, base: int, percent: Decimal | None, *, agrees: bool
) -> Iterator[Finding]:
    if percent is None:
        yield Finding(FindingKind.NOBODY_ANSWERED, "还没有答卷，无法核对。")
    elif not agrees:
        yield Finding(FindingKind.AGAINST_ANSWERS, f"答卷为{count}/{base}，即{percent}%。")


def _recomputed(share: Fraction | None, places: int) -> Decimal | None:
    return None if share is None else _half_up(share, places)


def _agrees(share: Fraction | None, percent: Decimal) -> bool:
    return share is not None and _prints_as(share, percent)


def _half_up(share: Fraction, places: int) -> Decimal:
    """Return a share as a percentage, rounded half up; exact until this last step."""
    return Decimal(floor(share * 100 * 10**places + Fraction(1, 2))).scaleb(-places)


def _cut_off(share: Fraction, places: int) -> Decimal:
    return Decimal(floor(share * 100 * 10**places)).scaleb(-places)


def _prints_as(share: Fraction, percent: Decimal) -> bool:
    """Tell whether a share prints so: a report that cuts off instead of rounding is not wrong."""
    places = _places(percent)
    return percent in (_half_up(share, places), _cut_off(share, places))


def _places(percent: Decimal) -> int:
    return len(f"{percent:f}".partition(".")[2])


def _nearest_counts(percent: Decimal, n: int) -> list[int]:
    """Return the counts out of `n` next to a percentage; if any prints as it, one of them does."""
    below = min(floor(Fraction(percent) * n / 100), n)
    return [count for count in (below, below + 1) if count <= n]


def _refuse_unknown(published: Published, questionnaire: Questionnaire) -> None:
    questions = {question.id: set(question.codes) for question in questionnaire.questions}
    for block in published.blocks:
        unknown = {row.option for row in block.rows} - questions.get(block.question, set())
        if unknown:
            reason = f"问卷“{questionnaire.id}”的题目“{block.question}”没有选项{sorted(unknown)}"
            raise PublishedError(published.id, block.place, reason)
    measures = {measure.id for measure in questionnaire.measures if not measure.per_option}
    sentences: tuple[PublishedStatement | PublishedClaim, ...]
    sentences = (*published.statements, *published.claims)
    for sentence in sentences:
        if sentence.measure not in measures:
            reason = f"问卷“{questionnaire.id}”没有测量项“{sentence.measure}”"
            raise PublishedError(published.id, sentence.place, reason)
