"""The check of what was answered: the only validation that counts, on every way in.

The names of a form's fields, which the pages and every other way in keep to:

| kind | field | value |
|---|---|---|
| single | `QUESTION` | the option's code |
| multiple | `QUESTION`, once for each choice | the option's code |
| text | `QUESTION` | what was typed |
| a text that an option takes | `QUESTION.OPTION` | what was typed |
| 不清楚 or 不适用 in place of typing | `QUESTION.OPTION` | the option's code |
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from surveys.questionnaire import Question, QuestionKind, Questionnaire
from surveys.typed import clean_text

Answer = str | tuple[str, ...]
Raw = Mapping[str, Sequence[str]]


class FaultKind(StrEnum):
    """What can be wrong with one answer; the pages say it in the reader's language."""

    MISSING = "missing"
    UNKNOWN_OPTION = "unknown_option"
    TOO_MANY = "too_many"
    TOO_LONG = "too_long"
    MISSING_TEXT = "missing_text"
    TEXT_WITHOUT_CHOICE = "text_without_choice"
    TYPED_AND_UNSURE = "typed_and_unsure"


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
    """Checked answers by question id: an option code, or several in printed order.

    A question left blank has no key: nobody chose the empty answer. What was typed in people's own
    words lies apart in `texts`, by question id or `QUESTION.OPTION`, so that it can be erased and
    the answers stay what they are.
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
    field of a question are ignored. With `accept_blanks` a required question may be empty: a paper
    sheet or an import can no longer be handed back to the person, and what was left out is counted
    as left out. Raises `InvalidAnswers` with every fault.
    """
    answers: dict[str, Answer] = {}
    texts: dict[str, str] = {}
    faults: list[AnswerFault] = []
    for question in questionnaire.questions:
        is_demanded = question.required and not accept_blanks
        reading = _read(question, raw, is_demanded=is_demanded)
        if reading.is_blank and is_demanded:
            faults.append(AnswerFault(question.id, FaultKind.MISSING))
        faults.extend(reading.faults)
        answers.update(reading.answers)
        texts.update(reading.texts)
    if faults:
        raise InvalidAnswers(faults)
    return AnswerSheet(questionnaire.id, questionnaire.version, answers, texts)


def _read(question: Question, raw: Raw, *, is_demanded: bool) -> _Reading:
    match question.kind:
        case QuestionKind.SINGLE | QuestionKind.MULTIPLE:
            return _read_choice(question, raw, is_demanded=is_demanded)
        case QuestionKind.TEXT:
            return _read_typed(question, raw)
        case _:
            assert_never(question.kind)


def _read_choice(question: Question, raw: Raw, *, is_demanded: bool) -> _Reading:
    chosen = set(raw.get(question.id, ())) - {""}
    texts = _option_texts(question, raw)
    faults = [
        *_choice_faults(question, chosen),
        *_text_faults(question, chosen, texts, is_demanded=is_demanded),
    ]
    if faults or not chosen:
        return _Reading(faults=tuple(faults))
    if question.kind is QuestionKind.SINGLE:
        return _Reading({question.id: next(iter(chosen))}, texts)
    return _Reading({question.id: tuple(code for code in question.codes if code in chosen)}, texts)


def _choice_faults(question: Question, chosen: set[str]) -> Iterator[AnswerFault]:
    if chosen - set(question.codes):
        yield AnswerFault(question.id, FaultKind.UNKNOWN_OPTION)
    elif question.kind is QuestionKind.SINGLE and len(chosen) > 1:
        yield AnswerFault(question.id, FaultKind.TOO_MANY)


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


def _read_typed(question: Question, raw: Raw) -> _Reading:
    typed = clean_text(_typed(raw, question.id), multiline=question.multiline)
    unsure = [code for code in question.codes if _typed(raw, f"{question.id}.{code}")]
    if len(typed) > question.longest:
        return _faulty(question, FaultKind.TOO_LONG)
    if typed and unsure:
        return _faulty(question, FaultKind.TYPED_AND_UNSURE)
    if len(unsure) > 1:
        return _faulty(question, FaultKind.TOO_MANY)
    if unsure:
        return _Reading(answers={question.id: unsure[0]})
    return _Reading(texts={question.id: typed} if typed else {})


def _faulty(question: Question, kind: FaultKind) -> _Reading:
    return _Reading(faults=(AnswerFault(question.id, kind),))


def _typed(raw: Raw, name: str) -> str:
    """Return what a text field holds; a browser sends one value, other clients may send more."""
    return next((value for value in raw.get(name, ()) if value.strip()), "")
