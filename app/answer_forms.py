"""The form of a questionnaire, for residents and for who asks them in person.

A signed token stands in for a session, and a key makes retries safe.
"""

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import render_template, request
from flask_babel import force_locale
from itsdangerous import BadSignature, URLSafeSerializer

from app import wording
from app.errors import Sentence
from app.language import language_around
from app.models import Assistance
from app.services.collecting import Invitation
from surveys.answers import AnswerFault
from surveys.questionnaire import Questionnaire

# The form's last field. A body that was cut short on a weak network lacks it and is refused,
# rather than stored with half its answers.
END_FIELD = "_end"
TOKEN_FIELD = "_token"  # noqa: S105 - a field's name
KEY_FIELD = "key"
ASSISTANCE_FIELD = "_by"
SHOW_FIELD = "_show"
LONGEST_DURATION = 24 * 60 * 60
RESIDENT = "resident-form"

Fields = Mapping[str, Sequence[str]]


class BadForm(ValueError):  # noqa: N818 - an expected outcome, named for what it is
    """A form that this server did not make, or that did not arrive whole."""


class ShowAgain(Exception):  # noqa: N818 - an expected outcome, named for what it is
    """A half-filled form that is to be shown again, larger or in another language."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a sent form says beside its answers."""

    key: uuid.UUID
    notice_number: int
    duration_seconds: int
    assistance: Assistance


def sign(
    secret: bytes, invitation: Invitation, issued: int | None = None, whose: str = RESIDENT
) -> str:
    """Make the token of a form: what was shown, under which notice, and when (seconds).

    `whose` is who may send it: a form that was made for one person is refused from another.
    """
    moment = int(time.time()) if issued is None else issued
    token = [*_shown(invitation), invitation.notice_number, moment]
    return _serializer(secret, whose).dumps(token)  # type: ignore[no-any-return,unused-ignore]


def read(secret: bytes, invitation: Invitation, fields: Fields, whose: str = RESIDENT) -> Form:
    """Check a sent form. Raises `BadForm` or `ShowAgain`.

    A token has no age at which it dies: an old man may read for an hour, and whether the survey
    still runs is decided by the survey, not by the form. A notice that was corrected meanwhile
    does not refuse it either: it counts under the version that it showed.
    """
    if not {END_FIELD, SHOW_FIELD} & fields.keys():
        raise BadForm
    try:
        token = fields.get(TOKEN_FIELD, [""])[0]
        *shown, notice_number, issued = _serializer(secret, whose).loads(token)
        key = uuid.UUID(fields.get(KEY_FIELD, [""])[0])
        assistance = Assistance(fields.get(ASSISTANCE_FIELD, [Assistance.NONE])[0])
    except (BadSignature, ValueError, TypeError) as error:
        raise BadForm from error
    if shown != _shown(invitation):
        raise BadForm
    if SHOW_FIELD in fields:
        raise ShowAgain
    elapsed = int(time.time()) - int(issued)
    return Form(
        key,
        notice_number=notice_number,
        duration_seconds=min(max(elapsed, 0), LONGEST_DURATION),
        assistance=assistance,
    )


def _shown(invitation: Invitation) -> list[str | int]:
    # The survey too: the number of a notice means nothing in another survey.
    return [invitation.questionnaire_digest[:16], invitation.survey_id]


def _serializer(secret: bytes, whose: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt=whose, signer_kwargs={"digest_method": hashlib.sha256})


def key_or_new(fields: Fields) -> str:
    """Return the key that a form was sent with, or a new one where that is none."""
    try:
        return str(uuid.UUID(fields.get(KEY_FIELD, [""])[0]))
    except ValueError:
        return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Shown:
    """How a form is shown again: what was filled in, and everything that is wrong with it.

    `notes` holds faults of what is asked beside the questionnaire, by the id of the control.
    """

    chosen: Fields
    faults: Sequence[AnswerFault] = ()
    notes: Mapping[str, Sentence] = field(default_factory=dict)
    stale: bool = False
    refused: Sentence | None = None


def render(
    template: str,
    invitation: Invitation,
    questionnaire: Questionnaire,
    token: str,
    key: str,
    shown: Shown | None = None,
    **more: object,
) -> str:
    """Render a form, empty or as it was filled in, in the language that the address asks for."""
    offered = {each.tag: each for each in questionnaire.languages}
    language = offered.get(request.args.get("lang", ""), offered[questionnaire.language])
    filled = shown or Shown({})
    # Where the questions are not offered in the language that was asked for, the buttons are not
    # in it either: a page in two languages is read by nobody.
    with force_locale(language_around(language.tag)):
        return render_template(
            template,
            invitation=invitation,
            questionnaire=questionnaire.in_language(language.tag),
            language=language,
            languages=tuple(offered.values()),
            token=token,
            key=key,
            fault_sentence=wording.fault_sentence,
            fault_anchor=wording.fault_anchor,
            most_sentence=wording.most_sentence,
            chosen=filled.chosen,
            faults=_by_question(filled.faults),
            notes=filled.notes,
            stale=filled.stale,
            refused=filled.refused,
            again=shown is not None,
            **more,
        )


def _by_question(faults: Sequence[AnswerFault]) -> dict[str, list[AnswerFault]]:
    found: dict[str, list[AnswerFault]] = {}
    for fault in faults:
        found.setdefault(fault.question, []).append(fault)
    return found
