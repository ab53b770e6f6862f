"""From a code or a poster to a stored answer: once, durable, and without a trace of the card."""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Insert, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.config import Keys
from app.errors import AnswerConflict, CardNotFound, CardSpent, NotFound, SurveyNotOpen
from app.errors import say as _
from app.formats import date_of, instant
from app.models import (
    Assistance,
    Batch,
    Card,
    CardState,
    Channel,
    FreeText,
    Notice,
    Origin,
    Poster,
    QuestionnaireVersion,
    Submission,
    SubmissionState,
    Survey,
    SurveyState,
)
from app.services.codes import code_hash, receipt_code
from app.services.inclusion import is_counted, load_inclusion
from app.services.publishing import NOTICE_TEXTS
from surveys.answers import AnswerSheet
from surveys.questionnaire import Questionnaire
from surveys.reading import parse_json


@dataclass(frozen=True, slots=True)
class Invitation:
    """The way a resident came in: by a card, or by the open link of a poster."""

    survey_id: int
    survey_title: str
    survey_state: SurveyState
    opens_at: datetime
    closes_at: datetime
    notice_number: int
    organiser: str
    purpose: str
    collected: str
    readers: str
    contact: str
    erase_at: date
    questionnaire_id: int
    questionnaire_digest: str
    area_id: int
    channel: Channel
    batch_id: int | None = None
    card_id: int | None = None
    card_state: CardState | None = None
    expires_at: date | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One answer sheet as it arrives: under which key, and how long it took (seconds).

    `notice_number` is the version of the notice that was shown; None is the current one.
    `interviewer_id` is the member of staff who asked, if one did.
    """

    key: uuid.UUID
    sheet: AnswerSheet
    duration_seconds: int | None = None
    origin: Origin = Origin.COLLECTED
    notice_number: int | None = None
    assistance: Assistance | None = None
    interviewer_id: int | None = None


NOTICE_COLUMNS = (*NOTICE_TEXTS, "erase_at")
# Columns by the names of `Invitation`'s fields.
_SURVEY_COLUMNS = (
    Survey.id.label("survey_id"),
    Survey.title.label("survey_title"),
    Survey.state.label("survey_state"),
    Survey.opens_at,
    Survey.closes_at,
    Survey.notice_number,
    *(getattr(Notice, name) for name in NOTICE_COLUMNS),
    Survey.questionnaire_id,
    QuestionnaireVersion.digest.label("questionnaire_digest"),
)
_IS_SHOWN = (Notice.survey_id == Survey.id) & (Notice.number == Survey.notice_number)
# Statements of the answering path are built once and run as Core, without the ORM's bookkeeping:
# together they took half of a submission's time.
_BY_CARD = (
    select(
        *_SURVEY_COLUMNS,
        Batch.area_id,
        Batch.id.label("batch_id"),
        Card.id.label("card_id"),
        Card.state.label("card_state"),
        Batch.expires_at,
    )
    .select_from(Card)
    .join(Batch, Batch.id == Card.batch_id)
    .join(Survey, Survey.id == Batch.survey_id)
    .join(QuestionnaireVersion, QuestionnaireVersion.id == Survey.questionnaire_id)
    .join(Notice, _IS_SHOWN)
    .where(Card.code_hash == bindparam("code_hash"))
)
_BY_POSTER = (
    select(*_SURVEY_COLUMNS, Poster.area_id)
    .select_from(Poster)
    .join(Survey, Survey.id == Poster.survey_id)
    .join(QuestionnaireVersion, QuestionnaireVersion.id == Survey.questionnaire_id)
    .join(Notice, _IS_SHOWN)
    .where(Poster.slug == bindparam("slug"))
)
_UNOPENED = (CardState.PRINTED, CardState.ISSUED)
ANSWERABLE = (*_UNOPENED, CardState.OPENED)
# One statement, not "look, then write": of two phones with the same card exactly one finds a row
# to change.
_CLAIM = (
    update(Card)
    .where(Card.id == bindparam("card_id"), Card.state.in_(ANSWERABLE))
    .values(state=CardState.ANSWERED)
)
_RELEASE = update(Card).where(Card.id == bindparam("card_id")).values(state=bindparam("before"))
_OPEN = (
    update(Card)
    .where(Card.id == bindparam("card_id"), Card.state.in_(_UNOPENED))
    .values(state=CardState.OPENED)
)
# The database decides whether a key (and with it the receipt) is new, also at the same instant.
_INSERT: dict[str, Insert] = {
    "sqlite": sqlite.insert(Submission).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(Submission).on_conflict_do_nothing(),
}


def find_card(session: Session, code: str, keys: Keys) -> Invitation:
    """Return the invitation on a card, in whatever state it is. Raises `CardNotFound`."""
    hashed = code_hash(keys.lookup, code)
    row = session.connection().execute(_BY_CARD, {"code_hash": hashed}).one_or_none()
    if row is None:
        raise CardNotFound
    return Invitation(channel=Channel.SCANNED, **row._asdict())


def find_poster(session: Session, slug: str) -> Invitation:
    """Return the invitation of an open poster link. Raises `NotFound`."""
    row = session.connection().execute(_BY_POSTER, {"slug": slug}).one_or_none()
    if row is None:
        raise NotFound
    return Invitation(channel=Channel.POSTER, **row._asdict())


def invite(survey: Survey, area_id: int, channel: Channel) -> Invitation:
    """Return the invitation for answers that staff bring in themselves, without card or poster.

    `survey` has its questionnaire and its notice loaded.
    """
    return Invitation(
        survey_id=survey.id,
        survey_title=survey.title,
        survey_state=survey.state,
        opens_at=survey.opens_at,
        closes_at=survey.closes_at,
        notice_number=survey.notice_number,
        **{name: getattr(survey.notice, name) for name in NOTICE_COLUMNS},
        questionnaire_id=survey.questionnaire_id,
        questionnaire_digest=survey.questionnaire.digest,
        area_id=area_id,
        channel=channel,
    )


def find_open_card(session: Session, code: str, keys: Keys, now: datetime) -> Invitation:
    """Return the invitation on a card that can be answered now.

    Raises `CardNotFound`, `CardSpent` or `SurveyNotOpen`.
    """
    invitation = find_card(session, code, keys)
    ensure_open(invitation, now)
    return invitation


def ensure_open(invitation: Invitation, now: datetime) -> None:
    """Raise `CardSpent` or `SurveyNotOpen` unless this invitation can be answered now."""
    # The card first: on a spent card nobody learns whether its survey still runs.
    if invitation.card_state not in {None, *ANSWERABLE} or _is_expired(invitation, now):
        raise CardSpent
    match invitation.survey_state:
        case SurveyState.PAUSED:
            when = instant(invitation.closes_at)
            raise SurveyNotOpen(
                _("本次调查暂停填写，恢复后可用原来的卡片继续，到 %(when)s 为止。", when=when)
            )
        case SurveyState.CLOSED:
            raise SurveyNotOpen(_("本次调查已经结束，谢谢您的关心。"))
        case SurveyState.DRAFT:
            _ensure_within(invitation, now)  # says when it is planned to begin
            raise SurveyNotOpen(_("本次调查还没有开始。"))
        case SurveyState.OPEN:
            _ensure_within(invitation, now)


def _is_expired(invitation: Invitation, now: datetime) -> bool:
    return invitation.expires_at is not None and date_of(now) > invitation.expires_at


def _ensure_within(invitation: Invitation, now: datetime) -> None:
    if now < invitation.opens_at:
        when = instant(invitation.opens_at)
        raise SurveyNotOpen(_("本次调查将于 %(when)s 开始，请到时再来。", when=when))
    if now >= invitation.closes_at:
        when = instant(invitation.closes_at)
        raise SurveyNotOpen(_("本次调查已于 %(when)s 结束，谢谢您的关心。", when=when))


def load_questionnaire(session: Session, digest: str) -> Questionnaire:
    """Return the questionnaire version with this digest. Raises `NotFound`."""
    # A digest names one content for ever, so what was once parsed stays parsed.
    if digest not in _parsed:
        document = session.scalar(
            select(QuestionnaireVersion.document).where(QuestionnaireVersion.digest == digest)
        )
        if document is None:
            raise NotFound
        _parsed[digest] = parse_json(document, digest)
    return _parsed[digest]


_parsed: dict[str, Questionnaire] = {}


def record_submission(
    session: Session, invitation: Invitation, delivery: Delivery, keys: Keys, now: datetime
) -> str:
    """Store one answer sheet and return its receipt; idempotent on the delivery's key.

    The same key with the same content gives the same receipt again, even after the card is spent
    or the survey closed. Raises `AnswerConflict` when the key already stored other answers,
    `CardSpent` or `SurveyNotOpen` when this is a first delivery and cannot be taken.
    """
    try:
        ensure_open(invitation, now)
        _claim_card(session, invitation)
    except (CardSpent, SurveyNotOpen) as refusal:
        return _stored_receipt(session, invitation, delivery, refusal)
    receipt = receipt_code(keys.receipt, delivery.key)
    if _insert(session, invitation, delivery, receipt, now):
        _insert_texts(session, delivery)
        return receipt
    # This card was still unused, so the key came with another card: this one is not spent for it.
    _release_card(session, invitation)
    return _stored_receipt(session, invitation, delivery)


def record_opening(session: Session, invitation: Invitation) -> None:
    """Note that a card was opened, and nothing of when or by whom."""
    session.connection().execute(_OPEN, {"card_id": invitation.card_id})


def is_unopened(invitation: Invitation) -> bool:
    """Say whether nobody is known to have opened this card yet."""
    return invitation.card_state in _UNOPENED


def is_stored(session: Session, key: uuid.UUID) -> bool:
    """Say whether answers are stored under this key."""
    return session.scalar(select(Submission.key).where(Submission.key == key)) is not None


def _claim_card(session: Session, invitation: Invitation) -> None:
    if invitation.card_id is None:
        return
    claimed = session.connection().execute(_CLAIM, {"card_id": invitation.card_id})
    if claimed.rowcount != 1:
        raise CardSpent


def _release_card(session: Session, invitation: Invitation) -> None:
    if invitation.card_id is not None:
        was = {"card_id": invitation.card_id, "before": invitation.card_state}
        session.connection().execute(_RELEASE, was)


def _insert(
    session: Session, invitation: Invitation, delivery: Delivery, receipt: str, now: datetime
) -> bool:
    """Insert the submission unless its key is stored already; return whether it was inserted."""
    row = _row(invitation, delivery, receipt, now)
    connection = session.connection()
    # SQLAlchemy forgets an insert's row count unless asked to keep it.
    kept = {"preserve_rowcount": True}
    inserted = connection.execute(_INSERT[connection.dialect.name], row, execution_options=kept)
    return inserted.rowcount == 1


def record_new(
    session: Session,
    arrived: Sequence[tuple[Invitation, Delivery]],
    keys: Keys,
    now: datetime,
) -> None:
    """Store answer sheets that staff bring in together, under keys that were made for them.

    Whether they are taken is for the caller to say: paper comes late.
    """
    connection = session.connection()
    rows = [_row(*each, receipt_code(keys.receipt, each[1].key), now) for each in arrived]
    connection.execute(insert(Submission), rows)
    texts = [
        _text_row(delivery, *each)
        for _invitation, delivery in arrived
        for each in delivery.sheet.texts.items()
    ]
    if texts:
        connection.execute(insert(FreeText), texts)


def _row(
    invitation: Invitation, delivery: Delivery, receipt: str, now: datetime
) -> dict[str, object]:
    return {
        "key": delivery.key,
        "survey_id": invitation.survey_id,
        "notice_number": delivery.notice_number or invitation.notice_number,
        "questionnaire_id": invitation.questionnaire_id,
        "area_id": invitation.area_id,
        "batch_id": invitation.batch_id,
        "channel": invitation.channel,
        "origin": delivery.origin,
        # Anonymity (SECURITY.md): no instant finer than the hour.
        "received_hour": now.replace(minute=0, second=0, microsecond=0),
        "duration_seconds": delivery.duration_seconds,
        "assistance": delivery.assistance,
        "interviewer_id": delivery.interviewer_id,
        "state": SubmissionState.VALID,
        "answers": dict(delivery.sheet.answers),
        "digest": delivery.sheet.digest(),
        "receipt": receipt,
    }


def _insert_texts(session: Session, delivery: Delivery) -> None:
    if delivery.sheet.texts:
        rows = [_text_row(delivery, *each) for each in delivery.sheet.texts.items()]
        session.connection().execute(insert(FreeText), rows)


def _text_row(delivery: Delivery, question_id: str, text: str) -> dict[str, object]:
    salt = secrets.token_bytes(16)
    return {
        "submission_key": delivery.key,
        "question_id": question_id,
        "text": text,
        "salt": salt,
        "digest": hashlib.sha256(salt + text.encode()).hexdigest(),
    }


def _stored_receipt(
    session: Session,
    invitation: Invitation,
    delivery: Delivery,
    refusal: Exception | None = None,
) -> str:
    stored = session.get(Submission, delivery.key)
    if stored is None:
        raise refusal or CardSpent
    if (
        stored.survey_id != invitation.survey_id
        or stored.digest != delivery.sheet.digest()
        or not _are_its_texts(session, delivery)
    ):
        raise AnswerConflict(stored.receipt) from refusal
    return stored.receipt


def _are_its_texts(session: Session, delivery: Delivery) -> bool:
    """Compare texts with the stored ones; what was erased can no longer be compared."""
    query = select(FreeText.question_id, FreeText.text)
    rows = session.execute(query.where(FreeText.submission_key == delivery.key)).all()
    stored = {row.question_id: row.text for row in rows}
    return None in stored.values() or stored == delivery.sheet.texts


def find_receipt(
    session: Session, receipt: str, survey: Survey | None = None
) -> tuple[SubmissionState, uuid.UUID]:
    """Return whether the submission with this receipt counts, and its key; nothing else of it.

    The key is how the phone that made it knows which answers it need no longer keep.
    Raises `NotFound`, also for a receipt of another survey if one is given.
    """
    query = select(Submission.survey_id, Submission.key).where(Submission.receipt == receipt)
    if survey is not None:
        query = query.where(Submission.survey_id == survey.id)
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound
    survey_id, key = row
    rule = load_inclusion(session, survey_id)
    counted = select(Submission.key).where(Submission.key == key, is_counted(rule))
    is_valid = session.scalar(counted) is not None
    return SubmissionState.VALID if is_valid else SubmissionState.SET_ASIDE, key
