"""Answers on paper in letters and numbers: the sign beside each box, and what is typed for it.

The printed sheet, fast entry and the comparison of two entries share this one notation.

| kind | control | typed |
|---|---|---|
| single, scale, nps | `QUESTION` | a sign: `B`, or the point `4` |
| a row of a matrix | `QUESTION.ROW` | the same |
| multiple | `QUESTION` | signs: `ABD`, `A B D`, `1,2,4` |
| the text beside an option | `QUESTION.OPTION` | as written |
| text, number, date | `QUESTION` | as written |
| ranking | `QUESTION.OPTION` | the rank |
| 不清楚, 不适用 in place of the last two | `QUESTION:unsure` | a sign |
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from surveys.answers import AnswerFault, AnswerSheet, FaultKind, InvalidAnswers, check
from surveys.questionnaire import Option, Question, QuestionKind, Questionnaire

Typed = Mapping[str, str]
"""What was typed, by the ids of the controls; a blank has no key."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BETWEEN = re.compile(r"[\s,，、;；/+]+")
# From ten options on, "12" could be one option or two: there only the printed letters are read.
_MOST_BY_POSITION = 9


class ControlKind(StrEnum):
    """What stands in a control: one sign, several, one in place of an answer, or what was written.

    A rank is its number.
    """

    ONE = "one"
    SEVERAL = "several"
    UNSURE = "unsure"
    TEXT = "text"
    RANK = "rank"


@dataclass(frozen=True, slots=True)
class Control:
    """One place to type in; `part` is the question, or the row of the matrix `question`."""

    id: str
    kind: ControlKind
    question: Question
    part: Question
    option: Option | None = None


def signs(question: Question) -> dict[str, str]:
    """Return the sign printed beside each choice, by code: a point's number, or a letter."""
    options = {option.code: _letter(place) for place, option in enumerate(question.options)}
    return {code: options.get(code, code) for code in question.codes}


def _letter(place: int) -> str:
    tens, ones = divmod(place, len(_LETTERS))
    return (_LETTERS[tens - 1] if tens else "") + _LETTERS[ones]


def controls(questionnaire: Questionnaire) -> tuple[Control, ...]:
    """Return every control of a questionnaire, in printed order."""
    return tuple(
        control
        for question in questionnaire.questions
        for part in question.parts
        for control in _of(question, part)
    )


def _of(question: Question, part: Question) -> Iterator[Control]:
    match part.kind:
        case QuestionKind.SINGLE | QuestionKind.SCALE | QuestionKind.NPS:
            yield Control(part.id, ControlKind.ONE, question, part)
        case QuestionKind.MULTIPLE:
            yield Control(part.id, ControlKind.SEVERAL, question, part)
        case QuestionKind.TEXT | QuestionKind.NUMBER | QuestionKind.DATE:
            yield Control(part.id, ControlKind.TEXT, question, part)
        case QuestionKind.RANKING:
            for option in part.ranked:
                name = f"{part.id}.{option.code}"
                yield Control(name, ControlKind.RANK, question, part, option)
        case QuestionKind.MATRIX | QuestionKind.INFORMATION:
            return
        case _:
            assert_never(part.kind)
    for option in part.options:
        if option.takes_text:
            yield Control(f"{part.id}.{option.code}", ControlKind.TEXT, question, part, option)
    if part.unsure and not (part.is_chosen_once or part.kind is QuestionKind.MULTIPLE):
        yield Control(f"{part.id}:unsure", ControlKind.UNSURE, question, part)


def read(questionnaire: Questionnaire, typed: Typed) -> AnswerSheet:
    """Return the checked answers that were typed; blanks are blanks, as paper is not handed back.

    Raises `InvalidAnswers` with every fault, signs that are none among them.
    """
    raw: dict[str, list[str]] = {}
    unknown: list[AnswerFault] = []
    for control in controls(questionnaire):
        text = typed.get(control.id, "")
        if control.kind is ControlKind.TEXT:
            raw[control.id] = [text]
            continue
        if control.kind is ControlKind.RANK:
            raw[control.id] = [unicodedata.normalize("NFKC", text)]
            continue
        codes = codes_of(control.part, text)
        if codes is None:
            row = "" if control.part is control.question else control.part.id
            unknown.append(AnswerFault(control.question.id, FaultKind.UNKNOWN_OPTION, row))
        elif control.kind is ControlKind.UNSURE:
            raw |= {f"{control.part.id}.{code}": [code] for code in codes}
        else:
            raw[control.id] = codes
    try:
        sheet = check(questionnaire, raw, accept_blanks=True)
    except InvalidAnswers as invalid:
        raise InvalidAnswers(_in_order(questionnaire, [*unknown, *invalid.faults])) from None
    if unknown:
        raise InvalidAnswers(unknown)
    return sheet


def _in_order(questionnaire: Questionnaire, faults: Sequence[AnswerFault]) -> Sequence[AnswerFault]:
    places = {question.id: place for place, question in enumerate(questionnaire.questions)}
    return sorted(faults, key=lambda fault: places[fault.question])


def codes_of(question: Question, text: str) -> list[str] | None:
    """Return the codes of the signs in a text, in the order typed; None when one is no sign."""
    known = {sign: code for code, sign in signs(question).items()}
    if question.codes == tuple(option.code for option in question.options) and (
        len(question.options) <= _MOST_BY_POSITION
    ):
        known |= {str(place): code for place, code in enumerate(question.codes, 1)}
    folded = unicodedata.normalize("NFKC", text).upper().strip()
    words = [word for word in _BETWEEN.split(folded) if word]
    found = []
    for word in words:
        # "ABD" is three signs, but the point "10" is one.
        for sign in [word] if word in known else word:
            if sign not in known:
                return None
            found.append(known[sign])
    return found


def write(questionnaire: Questionnaire, sheet: AnswerSheet) -> dict[str, str]:
    """Return an answer sheet as it is typed, in one way only, so that two can be compared."""
    return {
        control.id: text
        for control in controls(questionnaire)
        if (text := _written(control, sheet))
    }


def _written(control: Control, sheet: AnswerSheet) -> str:
    name = control.part.id if control.kind is ControlKind.UNSURE else control.id
    answer = sheet.answers.get(name, "")
    printed = signs(control.part)
    match control.kind:
        case ControlKind.TEXT if control.id in sheet.texts:
            return sheet.texts[control.id]
        case ControlKind.TEXT:
            return "" if answer in printed else str(answer)
        case ControlKind.RANK:
            return str(answer)
        case ControlKind.ONE | ControlKind.UNSURE:
            return printed.get(str(answer), "")
        case ControlKind.SEVERAL:
            return " ".join(printed[code] for code in answer)
        case _:
            assert_never(control.kind)


def told(control: Control, text: str) -> str:
    """Return what was typed with the words of the options, as somebody with the paper reads it."""
    if control.kind in {ControlKind.TEXT, ControlKind.RANK}:
        return text
    words = labels(control.part)
    return "、".join(words[code] for code in codes_of(control.part, text) or [])


def labels(question: Question) -> dict[str, str]:
    """Return the words of each choice behind its sign, by code; a point says its number itself."""
    return {
        choice.code: choice.text if choice.text.split(" ")[0] == sign else f"{sign} {choice.text}"
        for choice, sign in zip(question.choices, signs(question).values(), strict=True)
    }
