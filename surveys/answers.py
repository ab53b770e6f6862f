"""The check of what was answered: the only validation that counts, on every way in.

The names of a form's fields, which the pages and every other way in keep to:

| kind | field | value |
|---|---|---|
| single, scale, nps | `QUESTION` | the code of the option or point |
| multiple | `QUESTION`, once for each choice | the option's code |
| matrix | `QUESTION.ROW` | the code of the option or point |
| text, number, date | `QUESTION` | what was typed |
| ranking | `QUESTION.OPTION` | the rank, from `1` |
| the text that an option takes | `QUESTION.OPTION` | what was typed |
| 不清楚, 不适用 in place of typing or ranking | `QUESTION.OPTION` | the option's code |
| information | none | |

An empty value is a blank. The answer sheet has the same names, with two exceptions: a choice in
place of typing or ranking is the answer to `QUESTION`, and texts lie apart.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from surveys.logic import Answers, is_false, is_true
from surveys.questionnaire import Question, QuestionKind, Questionnaire
from surveys.typed import clean_text, date_or_none, number_or_none, number_text

Answer = str | tuple[str, ...]
Raw = Mapping[str, Sequence[str]]


class FaultKind(StrEnum):
    """What can be wrong with one answer; the pages say it in the reader's language.

    What a `constraint` demands, its question says itself (`constraint_message`).
    """

    MISSING = "missing"
    UNKNOWN_OPTION = "unknown_option"
    TOO_MANY = "too_many"
    TOO_LONG = "too_long"
    MISSING_TEXT = "missing_text"
    TEXT_WITHOUT_CHOICE = "text_without_choice"
    TYPED_AND_UNSURE = "typed_and_unsure"
    TOO_FEW = "too_few"
    EXCLUSIVE = "exclusive"
    NO_NUMBER = "no_number"
    TOO_MANY_DECIMALS = "too_many_decimals"
    TOO_LOW = "too_low"
    TOO_HIGH = "too_high"
    NO_DATE = "no_date"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    NO_RANK = "no_rank"
    TIED = "tied"
    RANK_LEFT_OUT = "rank_left_out"
    CONSTRAINT = "constraint"


@dataclass(frozen=True, slots=True)
class AnswerFault:
    """One question that was not answered as it asks.

    `field` is the form's field at fault where that is not the question's own.
    """

    question: str
    kind: FaultKind
    field: str = ""


class InvalidAnswers(ValueError):  # noqa: N818 - an expected outcome, named for what it is
    """Answers that do not fit; `faults` holds every fault in question order."""

    def __init__(self, faults: Sequence[AnswerFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(", ".join(f"{fault.question}: {fault.kind}" for fault in faults))


@dataclass(frozen=True, slots=True)
class AnswerSheet:
    """Checked answers by field: an option code, or several in printed order.

    A number is stored as decimal text ("1200.5"), a date as 2026-03-05, a rank as "1". A question
    left blank or not asked has no key: nobody chose the empty answer. What was typed in people's
    own words lies apart in `texts`, by question id or `QUESTION.OPTION`, so that it can be erased
    and the answers stay what they are.
    """

    questionnaire: str
    version: int
    answers: Mapping[str, Answer]
    texts: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Return the SHA-256 of the canonical content, as 64 hexadecimal digits.

        The same answers to the same version always give the same digest, so that a retry can be
        told from another answer under the same key. Texts are no part of it.
        """
        content = [self.questionnaire, self.version, self.answers]
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one question brought: coded answers and texts by field, and what is wrong with them."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[AnswerFault, ...] = ()

    @property
    def is_blank(self) -> bool:
        return not (self.answers or self.texts or self.faults)


def check(questionnaire: Questionnaire, raw: Raw, *, accept_blanks: bool = False) -> AnswerSheet:
    """Turn a form's fields into an answer sheet.

    `raw` is a form as browsers send it: every name with its list of values; names that are no
    field of a question are ignored, and so are answers to questions that the logic does not ask.
    With `accept_blanks` a required question may be empty: a paper sheet or an import can no longer
    be handed back to the person, and what was left out is counted as left out. Raises
    `InvalidAnswers` with every fault.
    """
    answers: dict[str, Answer] = {}
    texts: dict[str, str] = {}
    faults: list[AnswerFault] = []
    for question in _asked(questionnaire, answers):
        is_demanded = question.required and not accept_blanks
        reading = _read(question, raw, is_demanded=is_demanded)
        faults.extend(reading.faults)
        answers.update(reading.answers)
        texts.update(reading.texts)
        if reading.answers and is_false(question.constraint, answers):
            faults.append(AnswerFault(question.id, FaultKind.CONSTRAINT))
    if faults:
        raise InvalidAnswers(faults)
    return AnswerSheet(questionnaire.id, questionnaire.version, answers, texts)


def asked_questions(questionnaire: Questionnaire, answers: Answers) -> frozenset[str]:
    """Return the ids of the questions that whoever gave these checked answers was asked."""
    return frozenset(question.id for question in _asked(questionnaire, answers))


def _asked(questionnaire: Questionnaire, answers: Answers) -> Iterator[Question]:
    """Yield the questions that the logic asks, each decided when it is its turn.

    `answers` may grow meanwhile: an expression refers to earlier questions only, and the answer to
    a question that was not asked is not among them, so what hangs on it is not asked either.
    """
    for section in questionnaire.sections:
        if is_true(section.relevant, answers):
            for question in section.questions:
                if is_true(question.relevant, answers):
                    yield question


def _read(question: Question, raw: Raw, *, is_demanded: bool) -> _Reading:
    match question.kind:
        case QuestionKind.SINGLE | QuestionKind.MULTIPLE | QuestionKind.SCALE | QuestionKind.NPS:
            reading = _read_choice(question, raw, is_demanded=is_demanded)
        case QuestionKind.MATRIX:
            return _read_matrix(question, raw, is_demanded=is_demanded)
        case QuestionKind.TEXT | QuestionKind.NUMBER | QuestionKind.DATE:
            reading = _unless_unsure(question, raw, _read_typed(question, raw))
        case QuestionKind.RANKING:
            reading = _unless_unsure(question, raw, _read_ranks(question, raw))
        case QuestionKind.INFORMATION:
            return _Reading()
        case _:
            assert_never(question.kind)
    return _faulty(question, FaultKind.MISSING) if reading.is_blank and is_demanded else reading


def _read_choice(question: Question, raw: Raw, *, is_demanded: bool) -> _Reading:
    chosen = set(raw.get(question.id, ())) - {""}
    texts = _option_texts(question, raw)
    faults = [
        *_choice_faults(question, chosen),
        *_text_faults(question, chosen, texts, is_demanded=is_demanded),
    ]
    if faults or not chosen:
        return _Reading(faults=tuple(faults))
    if question.kind is QuestionKind.MULTIPLE:
        in_order = tuple(code for code in question.codes if code in chosen)
        return _Reading({question.id: in_order}, texts)
    return _Reading({question.id: next(iter(chosen))}, texts)


def _choice_faults(question: Question, chosen: set[str]) -> Iterator[AnswerFault]:
    exclusive = {option.code for option in question.options if option.exclusive}
    unsure = {option.code for option in question.unsure}
    most = question.most if question.kind is QuestionKind.MULTIPLE else 1
    if chosen - set(question.codes):
        yield AnswerFault(question.id, FaultKind.UNKNOWN_OPTION)
    elif chosen & exclusive:
        if len(chosen) > 1:
            yield AnswerFault(question.id, FaultKind.EXCLUSIVE)
    elif most is not None and len(chosen) > most:
        yield AnswerFault(question.id, FaultKind.TOO_MANY)
    elif chosen and len(chosen) < (question.fewest or 1) and not chosen & unsure:
        yield AnswerFault(question.id, FaultKind.TOO_FEW)


def _option_texts(question: Question, raw: Raw) -> dict[str, str]:
    """Return what was typed beside options, by field."""
    names = [f"{question.id}.{option.code}" for option in question.options if option.takes_text]
    typed = {name: clean_text(_typed(raw, name), multiline=False) for name in names}
    return {name: text for name, text in typed.items() if text}


def _text_faults(
    question: Question, chosen: set[str], texts: Mapping[str, str], *, is_demanded: bool
) -> Iterator[AnswerFault]:
    for option in question.options:
        name = f"{question.id}.{option.code}"
        if len(texts.get(name, "")) > question.longest:
            yield AnswerFault(question.id, FaultKind.TOO_LONG, name)
        # Whoever wrote what the other thing is but forgot to tick it meant it; dropping the words
        # or ticking for them would both be a guess.
        elif name in texts and option.code not in chosen:
            yield AnswerFault(question.id, FaultKind.TEXT_WITHOUT_CHOICE, name)
        elif option.takes_text and option.code in chosen and name not in texts and is_demanded:
            yield AnswerFault(question.id, FaultKind.MISSING_TEXT, name)


def _read_matrix(question: Question, raw: Raw, *, is_demanded: bool) -> _Reading:
    """Read every row as the scale that it is; its faults name the row's field."""
    rows = [_read(part, raw, is_demanded=is_demanded) for part in question.parts]
    return _Reading(
        answers={name: answer for row in rows for name, answer in row.answers.items()},
        faults=tuple(
            AnswerFault(question.id, fault.kind, fault.question)
            for row in rows
            for fault in row.faults
        ),
    )


def _unless_unsure(question: Question, raw: Raw, reading: _Reading) -> _Reading:
    """Take 不清楚 or 不适用 in place of what could have been typed or ranked."""
    chosen = [
        option.code for option in question.unsure if _typed(raw, f"{question.id}.{option.code}")
    ]
    if not chosen:
        return reading
    if len(chosen) > 1:
        return _faulty(question, FaultKind.TOO_MANY)
    if not reading.is_blank:
        return _faulty(question, FaultKind.TYPED_AND_UNSURE)
    return _Reading({question.id: chosen[0]})


def _read_typed(question: Question, raw: Raw) -> _Reading:
    is_multiline = question.kind is QuestionKind.TEXT and question.multiline
    typed = clean_text(_typed(raw, question.id), multiline=is_multiline)
    if not typed:
        return _Reading()
    match question.kind:
        case QuestionKind.NUMBER:
            return _read_number(question, typed)
        case QuestionKind.DATE:
            return _read_date(question, typed)
        case _ if len(typed) > question.longest:
            return _faulty(question, FaultKind.TOO_LONG)
        case _:
            return _Reading(texts={question.id: typed})


def _read_number(question: Question, typed: str) -> _Reading:
    number = number_or_none(typed, question.unit)
    if number is None:
        return _faulty(question, FaultKind.NO_NUMBER)
    text = number_text(number)
    if len(text.partition(".")[2]) > question.decimals:
        return _faulty(question, FaultKind.TOO_MANY_DECIMALS)
    if question.lowest is not None and number < question.lowest:
        return _faulty(question, FaultKind.TOO_LOW)
    if question.highest is not None and number > question.highest:
        return _faulty(question, FaultKind.TOO_HIGH)
    return _Reading({question.id: text})


def _read_date(question: Question, typed: str) -> _Reading:
    day = date_or_none(typed)
    if day is None:
        return _faulty(question, FaultKind.NO_DATE)
    if question.earliest is not None and day < question.earliest:
        return _faulty(question, FaultKind.TOO_EARLY)
    if question.latest is not None and day > question.latest:
        return _faulty(question, FaultKind.TOO_LATE)
    return _Reading({question.id: day.isoformat()})


def _read_ranks(question: Question, raw: Raw) -> _Reading:
    names = [f"{question.id}.{option.code}" for option in question.ranked]
    ranks = {name: rank for name in names if (rank := _typed(raw, name).strip())}
    most = question.most or len(names)
    given = sorted(ranks.values(), key=lambda rank: (len(rank), rank))
    expected = [str(rank) for rank in range(1, most + 1)]
    if set(given) - set(expected):
        return _faulty(question, FaultKind.NO_RANK)
    if len(set(given)) < len(given):
        return _faulty(question, FaultKind.TIED)
    if given != expected[: len(given)]:
        return _faulty(question, FaultKind.RANK_LEFT_OUT)
    if given and len(given) < fewest_ranks(question):
        return _faulty(question, FaultKind.TOO_FEW)
    return _Reading(dict(ranks))


def fewest_ranks(question: Question) -> int:
    """Return how many options must be ranked: all, or one where only some can be."""
    if question.fewest is not None:
        return question.fewest
    return len(question.ranked) if question.most is None else 1


def _faulty(question: Question, kind: FaultKind) -> _Reading:
    return _Reading(faults=(AnswerFault(question.id, kind),))


def _typed(raw: Raw, name: str) -> str:
    """Return what a text field holds; a browser sends one value, other clients may send more."""
    return next((value for value in raw.get(name, ()) if value.strip()), "")
