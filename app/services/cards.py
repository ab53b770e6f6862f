"""Cards: made in batches, derived again at will, found by their codes."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session, joinedload

from app.config import Keys, Settings
from app.db import rows_hit
from app.errors import EditConflict, InvalidInput, NotFound, Sentence
from app.errors import say as _
from app.formats import date_of
from app.models import Area, Batch, Card, CardState, Survey
from app.services import ledger
from app.services.codes import card_code, code_hash
from app.services.survey_areas import in_reach, tree_of

LARGEST_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How many cards, for whom, and until which day (in Beijing, the last one) if not the end."""

    size: int
    holder: str
    expires_at: date | None = None


def make_batch(
    session: Session, survey: Survey, area: Area, plan: BatchPlan, keys: Keys, stamp: ledger.Stamp
) -> Batch:
    """Make cards for one area of a survey; none can be answered before it is released.

    Raises `InvalidInput`.
    """
    _check_batch(session, survey, area, plan, date_of(stamp.at))
    batch = Batch(
        seed=uuid.uuid4(),
        survey_id=survey.id,
        area_id=area.id,
        holder=plan.holder.strip(),
        size=plan.size,
        expires_at=plan.expires_at,
    )
    session.add(batch)
    session.flush()
    session.execute(
        insert(Card), [_card_row(batch, serial, keys) for serial in range(1, batch.size + 1)]
    )
    batch.area = area
    ledger.record_made(session, batch, stamp)
    return batch


def move_expiry(
    session: Session, batch: Batch, to: date | None, seen: date | None, today: date
) -> None:
    """Move the last day of a batch; days are in Beijing, none is the end of the survey.

    No state of a card changes: those that had expired are again what they were. Raises
    `InvalidInput` for a day that is over, and `EditConflict` when the day is not `seen` any more.
    """
    if fault := _expiry_fault(to, today):
        raise InvalidInput({"expires_at": fault})
    is_as_seen = Batch.expires_at.is_not_distinct_from(seen)
    moved = update(Batch).where(Batch.id == batch.id, is_as_seen).values(expires_at=to)
    if rows_hit(session, moved) == 0:
        raise EditConflict
    batch.expires_at = to


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
        query = query.where(in_reach(Batch.survey_id, branch))
    query = query.options(joinedload(Batch.area))
    batch = session.scalar(query)
    if batch is None:
        raise NotFound
    return batch


def find_cards(
    session: Session, codes: Sequence[str], branch: Area, keys: Keys
) -> dict[str, tuple[Batch, int]]:
    """Return batch and serial by code, of those that name a card in this branch."""
    by_hash = {code_hash(keys.lookup, code): code for code in codes}
    rows = session.execute(
        select(Card.code_hash, Batch, Card.serial)
        .join(Batch, Batch.id == Card.batch_id)
        .join(Batch.area)
        .where(Card.code_hash.in_(by_hash), in_reach(Batch.survey_id, branch))
        .options(joinedload(Batch.area))
    )
    return {by_hash[hashed]: (batch, serial) for hashed, batch, serial in rows}


def _check_batch(
    session: Session, survey: Survey, area: Area, plan: BatchPlan, today: date
) -> None:
    faults: dict[str, Sentence] = {}
    if not 1 <= plan.size <= LARGEST_BATCH:
        faults["size"] = _("张数应在 1 到 %(most)s 之间。", most=LARGEST_BATCH)
    if area.id not in tree_of(session, survey).places:
        faults["area"] = _("这个片区不在本次调查的范围内。")
    if not plan.holder.strip():
        faults["holder"] = _("请填写领卡人或存放处。")
    if len(plan.holder) > 100:
        faults["holder"] = _("最多 100 个字。")
    if fault := _expiry_fault(plan.expires_at, today):
        faults["expires_at"] = fault
    if faults:
        raise InvalidInput(faults)


def _expiry_fault(day: date | None, today: date) -> Sentence | None:
    return None if day is None or day >= today else _("有效期不能早于今天。")


def _card_row(batch: Batch, serial: int, keys: Keys) -> dict[str, object]:
    code = card_code(keys.card, batch.seed, serial)
    return {
        "batch_id": batch.id,
        "serial": serial,
        "code_hash": code_hash(keys.lookup, code),
        "state": CardState.MADE,
    }
