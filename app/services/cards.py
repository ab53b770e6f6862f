"""Cards: made in batches, derived again at will, counted as they come back."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session, joinedload

from app.config import Keys, Settings
from app.errors import InvalidInput, NotFound, Sentence
from app.errors import say as _
from app.models import Area, Batch, Card, CardState, Survey
from app.services.areas import within
from app.services.codes import card_code, code_hash

LARGEST_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How many cards of one batch are in each state."""

    batch: Batch
    issued: int
    answered: int
    void: int


def make_batch(
    session: Session, survey: Survey, area: Area, size: int, holder: str, keys: Keys
) -> Batch:
    """Make `size` cards for one area of a survey. Raises `InvalidInput`."""
    _check_batch(survey, area, size, holder)
    batch = Batch(
        seed=uuid.uuid4(), survey_id=survey.id, area_id=area.id, holder=holder.strip(), size=size
    )
    session.add(batch)
    session.flush()
    session.execute(insert(Card), [_card_row(batch, serial, keys) for serial in range(1, size + 1)])
    batch.area = area
    return batch


def card_codes(batch: Batch, keys: Keys) -> list[tuple[int, str]]:
    """Derive (serial, code) of every card of a batch; nothing secret is read from the database."""
    return [
        (serial, card_code(keys.card, batch.seed, serial)) for serial in range(1, batch.size + 1)
    ]


def code_of(batch: Batch, serial: int, keys: Keys) -> str:
    """Derive the code of one card. Raises `NotFound` when the batch has no such serial."""
    if not 1 <= serial <= batch.size:
        raise NotFound
    return card_code(keys.card, batch.seed, serial)


def card_address(settings: Settings, code: str) -> str:
    """Return the address that a card's QR code leads to."""
    return f"{settings.base_url}/s/{code}"


def find_batch(session: Session, batch_id: int, branch: Area | None = None) -> Batch:
    """Return one batch, inside this branch if given. Raises `NotFound`."""
    query = select(Batch).join(Batch.area).where(Batch.id == batch_id)
    if branch is not None:
        query = query.where(within(branch))
    query = query.options(joinedload(Batch.area))
    batch = session.scalar(query)
    if batch is None:
        raise NotFound
    return batch


def load_progress(session: Session, survey: Survey, branch: Area) -> list[BatchProgress]:
    """Count the cards of every batch of this survey in this branch, by state."""
    batches = session.scalars(
        select(Batch)
        .join(Batch.area)
        .where(Batch.survey_id == survey.id, within(branch))
        .options(joinedload(Batch.area))
        .order_by(Batch.id)
    ).all()
    counts = _state_counts(session, batches)
    return [
        BatchProgress(
            batch,
            issued=counts.get((batch.id, CardState.ISSUED), 0),
            answered=counts.get((batch.id, CardState.ANSWERED), 0),
            void=counts.get((batch.id, CardState.VOID), 0),
        )
        for batch in batches
    ]


def _state_counts(session: Session, batches: Sequence[Batch]) -> dict[tuple[int, CardState], int]:
    query = (
        select(Card.batch_id, Card.state, func.count())
        .where(Card.batch_id.in_([batch.id for batch in batches]))
        .group_by(Card.batch_id, Card.state)
    )
    return {(batch_id, state): count for batch_id, state, count in session.execute(query)}


def _check_batch(survey: Survey, area: Area, size: int, holder: str) -> None:
    faults: dict[str, Sentence] = {}
    if not 1 <= size <= LARGEST_BATCH:
        faults["size"] = _("张数应在 1 到 %(most)s 之间。", most=LARGEST_BATCH)
    if not area.path.startswith(survey.area.path):
        faults["area"] = _("这个片区不在本次调查的范围内。")
    if not holder.strip():
        faults["holder"] = _("请填写领卡人或存放处。")
    if len(holder) > 100:
        faults["holder"] = _("最多 100 个字。")
    if faults:
        raise InvalidInput(faults)


def _card_row(batch: Batch, serial: int, keys: Keys) -> dict[str, object]:
    code = card_code(keys.card, batch.seed, serial)
    return {
        "batch_id": batch.id,
        "serial": serial,
        "code_hash": code_hash(keys.lookup, code),
        "state": CardState.ISSUED,
    }
