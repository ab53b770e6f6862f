"""What is not kept: erased at its date, and the traces of who answered when, wiped in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    distinct,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased, joinedload

from app.models import (
    Batch,
    Card,
    CardEvent,
    CardState,
    FreeText,
    Keying,
    KeyingDifference,
    Notice,
    Slip,
    SlipState,
    Submission,
    Survey,
)

# Tables whose files tell more than their rows: what was erased, and in what order it came in.
TABLES = (
    "cards",
    "submissions",
    "free_texts",
    "slips",
    "keyings",
    "keying_differences",
    "card_events",
    "evidence_files",
)
# Of fewer answers than this, one is too easily somebody's (SECURITY.md, "Anonymity").
SMALLEST_GROUP = 5
_OF_SLIP = and_(
    Keying.survey_id == Slip.survey_id,
    Keying.area_id == Slip.area_id,
    Keying.number == Slip.number,
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """How much was answered under one version of a survey's notice, and is erased with it."""

    survey: Survey
    notice: int
    texts: int
    durations: int
    batches: int
    slips: int
    notes: int

    def counts(self) -> dict[str, int]:
        """Return the figures that are reported and put on record."""
        return {
            "notice": self.notice,
            "texts": self.texts,
            "durations": self.durations,
            "batches": self.batches,
            "slips": self.slips,
            "notes": self.notes,
        }


def load_due(session: Session, today: date) -> Sequence[Notice]:
    """Return the notices whose date has come and is not yet acted on; `today` is in Beijing.

    An earlier date of the current version counts for all of them, a later one for none before.
    """
    current = aliased(Notice)
    is_current = (current.survey_id == Survey.id) & (current.number == Survey.notice_number)
    return session.scalars(
        select(Notice)
        .join(Survey, Survey.id == Notice.survey_id)
        .join(current, is_current)
        .where(Notice.erased_at.is_(None))
        .where(or_(Notice.erase_at <= today, current.erase_at <= today))
        .order_by(Notice.survey_id, Notice.number)
    ).all()


def count_due(session: Session, notice: Notice) -> Erasure:
    """Count what erasing would take under this notice; nothing is changed."""
    query = select(Survey).where(Survey.id == notice.survey_id).options(joinedload(Survey.area))
    counts = (
        session.scalar(select(func.count()).where(*conditions)) or 0
        for conditions in (
            _texts(notice),
            _durations(notice),
            _small_batches(notice),
            _unsettled(notice),
            _notes(notice),
        )
    )
    return Erasure(session.scalars(query).one(), notice.number, *counts)


def erase(session: Session, notice: Notice, now: datetime) -> Erasure | None:
    """Erase what was answered under this notice and could tell who answered.

    Texts with their salts, how long answering took, the batch where it had few answers, and what
    was keyed from paper and never settled; with the current notice also what staff wrote about
    cards: to whom, where and why. The coded answers, the hour, the area and who did what with
    which cards stay, and with them every count. Returns None when somebody else did it meanwhile.
    """
    claim = (
        update(Notice)
        .where(Notice.survey_id == notice.survey_id, Notice.number == notice.number)
        .where(Notice.erased_at.is_(None))
        .values(erased_at=now)
        .returning(Notice.number)
    )
    if session.scalar(claim) is None:
        return None
    found = count_due(session, notice)
    texts = update(FreeText).where(*_texts(notice))
    _change(session, texts.values(text=None, salt=None, erased_at=now))
    durations = update(Submission).where(*_durations(notice))
    _change(session, durations.values(duration_seconds=None))
    batches = update(Submission).where(*_small_batches(notice))
    _change(session, batches.values(batch_id=None))
    unsettled = select(Slip.number).where(_OF_SLIP, *_unsettled(notice)).exists()
    _change(session, update(Keying).where(unsettled).values(typed=None))
    _change(session, update(Slip).where(*_unsettled(notice)).values(state=SlipState.ERASED))
    notes = update(CardEvent).where(*_notes(notice))
    _change(session, notes.values(holder="", place="", reason=""))
    holders = update(Card).where(Card.batch_id.in_(_batches(notice)), Card.holder.is_not(None))
    _change(session, holders.values(holder=None))
    return found


def load_uncleaned(session: Session) -> Sequence[Notice]:
    """Return the notices of which something was erased that the files may still hold."""
    query = select(Notice).where(Notice.erased_at.is_not(None), Notice.cleaned_at.is_(None))
    return session.scalars(query).all()


def record_cleaned(session: Session, notices: Sequence[Notice], now: datetime) -> None:
    """Note that the files hold no more of what was erased under these notices."""
    for notice in notices:
        session.execute(
            update(Notice)
            .where(Notice.survey_id == notice.survey_id, Notice.number == notice.number)
            .values(cleaned_at=now)
        )


def load_unmixed(session: Session) -> Sequence[Survey]:
    """Return the surveys in which the database still tells which rows were written together.

    SQLite keeps no such mark with a row: there the files are all there is to be written anew.
    """
    if not _marks_rows(session):
        return []
    writers = func.count(distinct(literal_column("submissions.xmin::text")))
    by_answers = select(Submission.survey_id).group_by(Submission.survey_id).having(writers > 1)
    writers = func.count(distinct(literal_column("cards.xmin::text")))
    by_cards = (
        select(Batch.survey_id)
        .join(Card, Card.batch_id == Batch.id)
        .where(Card.state == CardState.ANSWERED)
        .group_by(Batch.survey_id)
        .having(writers > 1)
    )
    writers = func.count(distinct(literal_column("slips.xmin::text")))
    by_slips = select(Slip.survey_id).group_by(Slip.survey_id).having(writers > 1)
    marked = (Survey.id.in_(by) for by in (by_answers, by_cards, by_slips))
    return session.scalars(
        select(Survey).where(or_(*marked)).options(joinedload(Survey.area)).order_by(Survey.id)
    ).all()


def mix(session: Session, survey: Survey) -> None:
    """Write a survey's answered cards, slips and answers anew, as if all came at one moment.

    PostgreSQL keeps with every row the transaction that wrote it, and a card or a slip and its
    answers are written by the same one: that must not be seen for longer than it has to.
    """
    if not _marks_rows(session):
        return
    batches = select(Batch.id).where(Batch.survey_id == survey.id)
    answered = update(Card).where(Card.batch_id.in_(batches), Card.state == CardState.ANSWERED)
    _change(session, answered.values(state=CardState.ANSWERED))
    answers = update(Submission).where(Submission.survey_id == survey.id)
    _change(session, answers.values(state=Submission.state))
    keys = select(Submission.key).where(Submission.survey_id == survey.id)
    texts = update(FreeText).where(FreeText.submission_key.in_(keys))
    _change(session, texts.values(digest=FreeText.digest))
    slips = update(Slip).where(Slip.survey_id == survey.id)
    _change(session, slips.values(state=Slip.state))
    keyings = update(Keying).where(Keying.survey_id == survey.id)
    _change(session, keyings.values(key=Keying.key))
    differences = update(KeyingDifference).where(KeyingDifference.survey_id == survey.id)
    _change(session, differences.values(first_wrong=KeyingDifference.first_wrong))


Conditions: TypeAlias = tuple[ColumnElement[bool], ...]


def _answered_under(notice: Notice) -> Conditions:
    return Submission.survey_id == notice.survey_id, Submission.notice_number == notice.number


def _texts(notice: Notice) -> Conditions:
    keys = select(Submission.key).where(*_answered_under(notice))
    return FreeText.submission_key.in_(keys), FreeText.text.is_not(None)


def _durations(notice: Notice) -> Conditions:
    return *_answered_under(notice), Submission.duration_seconds.is_not(None)


def _small_batches(notice: Notice) -> Conditions:
    small = (
        select(Submission.batch_id)
        .where(Submission.survey_id == notice.survey_id, Submission.batch_id.is_not(None))
        .group_by(Submission.batch_id)
        .having(func.count() < SMALLEST_GROUP)
    )
    return *_answered_under(notice), Submission.batch_id.in_(small)


def _unsettled(notice: Notice) -> Conditions:
    return (
        Slip.survey_id == notice.survey_id,
        Slip.notice_number == notice.number,
        Slip.state.in_((SlipState.AWAITING, SlipState.DIFFERING)),
    )


def _batches(notice: Notice) -> Select[int]:
    """Return the batches of the survey whose current notice this is; of an older one, none."""
    current = (Survey.id == notice.survey_id) & (Survey.notice_number == notice.number)
    return select(Batch.id).join(Survey, Survey.id == Batch.survey_id).where(current)


def _notes(notice: Notice) -> Conditions:
    written = CardEvent.holder + CardEvent.place + CardEvent.reason
    return CardEvent.batch_id.in_(_batches(notice)), written != ""


def _change(session: Session, statement: Update) -> None:
    # Of these rows none is loaded here, and there may be hundreds of thousands.
    session.execute(statement, execution_options={"synchronize_session": False})


def _marks_rows(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
