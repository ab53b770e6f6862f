"""The residents' form: a signed token instead of a session, and a key that makes retries safe."""

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer

from app.models import Assistance
from app.services.collecting import Invitation

# The form's last field. A body that was cut short on a weak network lacks it and is refused,
# rather than stored with half its answers.
END_FIELD = "_end"
TOKEN_FIELD = "_token"  # noqa: S105 - a field's name
KEY_FIELD = "key"
ASSISTANCE_FIELD = "_by"
SHOW_FIELD = "_show"
LONGEST_DURATION = 24 * 60 * 60


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


def sign(secret: bytes, invitation: Invitation, issued: int | None = None) -> str:
    """Make the token of a form: what was shown, under which notice, and when (seconds)."""
    moment = int(time.time()) if issued is None else issued
    token = [*_shown(invitation), invitation.notice_number, moment]
    return _serializer(secret).dumps(token)  # type: ignore[no-any-return,unused-ignore]


def read(secret: bytes, invitation: Invitation, fields: Mapping[str, Sequence[str]]) -> Form:
    """Check a sent form. Raises `BadForm` or `ShowAgain`.

    A token has no age at which it dies: an old man may read for an hour, and whether the survey
    still runs is decided by the survey, not by the form. A notice that was corrected meanwhile
    does not refuse it either: it counts under the version that it showed.
    """
    if not {END_FIELD, SHOW_FIELD} & fields.keys():
        raise BadForm
    try:
        *shown, notice_number, issued = _serializer(secret).loads(fields.get(TOKEN_FIELD, [""])[0])
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


def _serializer(secret: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(
        secret, salt="resident-form", signer_kwargs={"digest_method": hashlib.sha256}
    )
