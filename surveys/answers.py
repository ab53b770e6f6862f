"""The check of what was answered: the only validation that counts, on every way in."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from surveys.questionnaire import Question, QuestionKind, Questionnaire

Answer = str | tuple[str, ...]


class FaultKind(StrEnum):
    """What can be wrong with one answer; the pages say it in the reader's language."""

    MISSING = "missing"
    UNKNOWN_OPTION = "unknown_option"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class AnswerFault:
    """One question that was not answered as it asks."""

    question: str
    kind: FaultKind


class InvalidAnswers(ValueError):  # noqa: N818 - an expected outcome, named for what it is
    """Answers that do not fit; `faults` holds every fault in question order."""

    def __init__(self, faults: Sequence[AnswerFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(", ".join(f"{fault.question}: {fault.kind}" for fault in faults))


@dataclass(frozen=True, slots=True)
class AnswerSheet:
    """Checked answers by question id: an option code, or several in printed order.

    A question left blank has no key: nobody chose the empty answer.
    """

    questionnaire: str
    version: int
    answers: Mapping[str, Answer]

    def digest(self) -> str:
        """Return the SHA-256 of the canonical content, as 64 hexadecimal digits.

        The same answers to the same version always give the same digest, so that a retry can be
        told from another answer under the same key.
        """
        content = [self.questionnaire, self.version, self.answers]
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def check(
    questionnaire: Questionnaire,
    raw: Mapping[str, Sequence[str]],
    *,
    accept_blanks: bool = False,
) -> AnswerSheet:
    """Turn raw option codes by question id into an answer sheet.

    `raw` is a form as browsers send it: every name with its list of values; names that are no
    question are ignored. With `accept_blanks` a required question may be empty: a paper sheet or
    an import can no longer be handed back to the person, and what was left out is counted as
    left out. Raises `InvalidAnswers` with every fault.
    """
    answers: dict[str, Answer] = {}
    faults: list[AnswerFault] = []
    for question in questionnaire.questions:
        chosen = set(raw.get(question.id, ())) - {""}
        if found := list(_faults(question, chosen, accept_blanks=accept_blanks)):
            faults.extend(found)
        elif chosen:
            answers[question.id] = _answer(question, chosen)
    if faults:
        raise InvalidAnswers(faults)
    return AnswerSheet(questionnaire.id, questionnaire.version, answers)


def _faults(question: Question, chosen: set[str], *, accept_blanks: bool) -> Iterator[AnswerFault]:
    if not chosen and question.required and not accept_blanks:
        yield AnswerFault(question.id, FaultKind.MISSING)
    if chosen - set(question.codes):
        yield AnswerFault(question.id, FaultKind.UNKNOWN_OPTION)
    elif question.kind is QuestionKind.SINGLE and len(chosen) > 1:
        yield AnswerFault(question.id, FaultKind.TOO_MANY)


def _answer(question: Question, chosen: set[str]) -> Answer:
    if question.kind is QuestionKind.SINGLE:
        return next(iter(chosen))
    return tuple(code for code in question.codes if code in chosen)
