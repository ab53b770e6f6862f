"""The ledger of cards: what staff do with them, where each is, and whether all are accounted for.

A card goes made → printed → issued → opened → answered, or aside as returned, lost or void. Staff
move ranges of cards and leave one event for each; residents open and answer (services/collecting)
and leave none. Both change a card by one UPDATE that names the states it may be in, so of two at
once the database lets one win.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from itertools import groupby
from typing import TypeAlias

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Row,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session, joinedload

from analysis.response_rates import Dispositions, response_rates
from app.errors import InvalidInput, Problem, Sentence
from app.errors import say as _
from app.formats import date_of
from app.models import Area, Batch, Card, CardEvent, CardState, Channel, Submission, Survey
from app.services.survey_areas import in_reach

LONGEST_SERIALS = 2000
_EVENTS_SHOWN = 50

# From which states staff may move a card, in the order in which residents move it: each has an
# UPDATE of its own, and a card that is opened between two of them is found by the later one.
MOVES: Mapping[CardState, Sequence[CardState]] = {
    CardState.PRINTED: (CardState.MADE,),
    CardState.ISSUED: (CardState.PRINTED, CardState.RETURNED, CardState.LOST),
    CardState.RETURNED: (CardState.ISSUED, CardState.OPENED, CardState.LOST),
    CardState.LOST: (
        CardState.PRINTED,
        CardState.ISSUED,
        CardState.OPENED,
        CardState.RETURNED,
    ),
    CardState.VOID: (
        CardState.MADE,
        CardState.PRINTED,
        CardState.ISSUED,
        CardState.OPENED,
        CardState.RETURNED,
        CardState.LOST,
    ),
}
# What residents change by themselves, so that no event tells how many cards are in each.
_WITH_RESIDENTS = (CardState.PRINTED, CardState.ISSUED, CardState.OPENED, CardState.ANSWERED)
_STILL_OUT = (CardState.MADE, CardState.PRINTED, CardState.ISSUED, CardState.OPENED)

Range: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who does something with cards, and when."""

    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Handover:
    """To whom cards go, where, and why; each may be empty."""

    holder: str = ""
    place: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of an act: the ranges that moved, and those that did not, by their state."""

    batch: Batch
    to: CardState
    changed: Sequence[Range]
    refused: Mapping[CardState, Sequence[Range]]
    reason: str

    @property
    def count(self) -> int:
        """Return how many cards moved."""
        return sum(last - first + 1 for first, last in self.changed)


# ---------------------------------------------------------------------------------------------
# Serials, as people write them
# ---------------------------------------------------------------------------------------------


def read_serials(typed: str, size: int) -> list[Range]:
    """Read serials as people type them ("1-20, 25") into ranges that do not overlap.

    Raises `InvalidInput` that names every part which is no serial of a batch of this size.
    """
    plain = unicodedata.normalize("NFKC", typed)
    dashed = re.sub(r"\s*[-–—~至到]\s*", "-", plain)
    parts = [part for part in re.split(r"[,、;\s]+", dashed) if part]
    found: set[int] = set()
    wrong = []
    for part in parts if len(typed) <= LONGEST_SERIALS else ():
        match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if 1 <= first <= last <= size:
            found.update(range(first, last + 1))
        else:
            wrong.append(part)
    if wrong:
        named = "、".join(wrong[:5])
        sentence = _("看不懂或不在 1–%(size)s 之间：%(named)s", size=size, named=named)
        # As text: a lazy string calls itself HTML and would pass the page unescaped.
        raise InvalidInput({"serials": str(sentence)})
    if not found:
        raise InvalidInput({"serials": _("请填写编号，如 1-20, 25。")})
    return as_ranges(found)


def as_ranges(serials: Iterable[int]) -> list[Range]:
    """Return these serials as ranges, in order."""
    ranges: list[Range] = []
    for serial in sorted(serials):
        if ranges and ranges[-1][1] == serial - 1:
            ranges[-1] = (ranges[-1][0], serial)
        else:
            ranges.append((serial, serial))
    return ranges


def write_ranges(ranges: Iterable[Range]) -> str:
    """Write ranges as people type them."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


# ---------------------------------------------------------------------------------------------
# Acts
# ---------------------------------------------------------------------------------------------


def record_made(session: Session, batch: Batch, stamp: Stamp) -> None:
    """Enter the cards of a new batch."""
    _enter(session, batch, [(1, batch.size)], None, CardState.MADE, stamp, Handover())


def release(session: Session, batch: Batch, stamp: Stamp, ranges: Sequence[Range] = ()) -> None:
    """Note that the codes of these cards, or of all, left the house on paper or on a screen.

    From then on they can be answered; those that left before stay as they are.
    """
    move(session, batch, ranges or [(1, batch.size)], CardState.PRINTED, stamp)


def issue_all(session: Session, batch: Batch, stamp: Stamp) -> Moved:
    """Release a new batch and issue every card of it to its holder. Raises as `move` does."""
    release(session, batch, stamp)
    handover = Handover(holder=batch.holder)
    return move(session, batch, [(1, batch.size)], CardState.ISSUED, stamp, handover)


def move(
    session: Session,
    batch: Batch,
    ranges: Sequence[Range],
    to: CardState,
    stamp: Stamp,
    handover: Handover = Handover(),
) -> Moved:
    """Move the cards in these ranges as far as their states allow, and say which were not moved.

    Raises `InvalidInput` when it is not said what the act needs, and `Problem` for cards that
    would be issued after their last day.
    """
    _check_handover(batch, to, stamp, handover)
    # People who work on one batch at once queue here, and residents do not: each act is whole. The
    # weaker lock lets answers that refer to the batch in; under a full one they would wait for
    # this act while it waits for their card.
    session.execute(select(Batch.id).where(Batch.id == batch.id).with_for_update(key_share=True))
    chosen = _chosen(batch, ranges)
    values: dict[str, object] = {"state": to}
    if to is CardState.ISSUED:
        values["holder"] = handover.holder.strip() or batch.holder
    changed: set[int] = set()
    for before in MOVES[to]:
        statement = update(Card).where(chosen, Card.state == before).values(values)
        hit = session.scalars(
            statement.returning(Card.serial), execution_options={"synchronize_session": False}
        ).all()
        _enter(session, batch, as_ranges(hit), before, to, stamp, handover)
        changed.update(hit)
    refused = _by_state(session, chosen, changed)
    return Moved(batch, to, as_ranges(changed), refused, handover.reason.strip())


def load_entries(session: Session, batch: Batch) -> list[tuple[CardEvent, Sequence[Range]]]:
    """Return the newest acts on a batch, the newest first, each with all its cards.

    Ranges that differ only in where they came from stand together: apart, they would tell which
    cards were opened.
    """
    query = select(CardEvent).where(CardEvent.batch_id == batch.id)
    events = session.scalars(query.order_by(CardEvent.id.desc()).limit(_EVENTS_SHOWN))
    entries: list[tuple[CardEvent, Sequence[Range]]] = []
    for _same, together in groupby(events, _act_of):
        several = list(together)
        serials = {each for one in several for each in range(one.first, one.last + 1)}
        entries.append((several[0], as_ranges(serials)))
    return entries


def _act_of(event: CardEvent) -> tuple[object, ...]:
    return event.after, event.actor, event.at, event.holder, event.place, event.reason


def load_states(
    session: Session, batch: Batch, ranges: Sequence[Range] = ()
) -> Mapping[CardState, Sequence[Range]]:
    """Return which of these serials, or of all, are in which state; opened ones count as issued.

    Whoever holds a batch must see what came back. That somebody looked and did not answer is
    nobody's business card by card.
    """
    return _by_state(session, _chosen(batch, ranges or [(1, batch.size)]))


def is_expired(batch: Batch, today: date) -> bool:
    """Say whether the last day of a batch is over; `today` is in Beijing."""
    return batch.expires_at is not None and batch.expires_at < today


def _check_handover(batch: Batch, to: CardState, stamp: Stamp, handover: Handover) -> None:
    faults: dict[str, Sentence] = {}
    if to in {CardState.LOST, CardState.VOID} and not handover.reason.strip():
        faults["reason"] = _("报失和作废要写明理由。")
    for name, most in (("holder", 100), ("place", 100), ("reason", 500)):
        if len(getattr(handover, name)) > most:
            faults[name] = _("最多 %(most)s 个字。", most=most)
    if faults:
        raise InvalidInput(faults)
    if to is CardState.ISSUED and is_expired(batch, date_of(stamp.at)):
        raise Problem(_("这批卡已经过期，不能再发。请制作新的一批。"))


def _chosen(batch: Batch, ranges: Sequence[Range]) -> ColumnElement[bool]:
    inside = or_(*(Card.serial.between(first, last) for first, last in ranges))
    return (Card.batch_id == batch.id) & inside


def _by_state(
    session: Session, chosen: ColumnElement[bool], besides: Collection[int] = ()
) -> Mapping[CardState, Sequence[Range]]:
    found: dict[CardState, list[int]] = {}
    for state, serial in session.execute(select(Card.state, Card.serial).where(chosen)):
        if serial not in besides:
            shown = CardState.ISSUED if state is CardState.OPENED else state
            found.setdefault(shown, []).append(serial)
    return {state: as_ranges(found[state]) for state in CardState if state in found}


def _enter(
    session: Session,
    batch: Batch,
    ranges: Sequence[Range],
    before: CardState | None,
    after: CardState,
    stamp: Stamp,
    handover: Handover,
) -> None:
    session.add_all(
        CardEvent(
            batch_id=batch.id,
            first=first,
            last=last,
            before=before,
            after=after,
            actor=stamp.actor,
            at=stamp.at,
            holder=handover.holder.strip(),
            place=handover.place.strip(),
            reason=handover.reason.strip(),
        )
        for first, last in ranges
    )
    session.flush()


# ---------------------------------------------------------------------------------------------
# Counting
# ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """How many cards were made, and in which state each of them is now.

    `stored` is by the state in the row, `states` with those past their date as expired.
    """

    name: str
    made: int = 0
    stored: Counter[CardState] = field(default_factory=Counter)
    states: Counter[CardState] = field(default_factory=Counter)

    def dispositions(self) -> Dispositions:
        """Return the cards that were issued as a sample, in AAPOR's words.

        Answered: complete (I). Opened and not finished: partial (P). Issued and never opened:
        unknown (UO), since nobody knows whether such a card reached somebody who could answer.
        A card past its date stays what it was. Never issued, returned, lost or void: no sample.
        """
        return Dispositions(
            complete=self.stored[CardState.ANSWERED],
            partial=self.stored[CardState.OPENED],
            unknown_other=self.stored[CardState.ISSUED],
        )

    @property
    def rates(self) -> Mapping[str, Fraction | None]:
        """Return AAPOR's response rates RR1 to RR6."""
        return response_rates(self.dispositions())


@dataclass(frozen=True, slots=True)
class BatchTally:
    """One batch with the count of its cards."""

    batch: Batch
    tally: Tally
    is_expired: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """A survey's cards in one branch: batch by batch, with subtotals, and their sum."""

    batches: Sequence[BatchTally]
    holders: Sequence[Tally]
    areas: Sequence[Tally]
    total: Tally


def load_ledger(session: Session, survey: Survey, branch: Area, today: date) -> Ledger:
    """Count the cards of a survey in this branch; `today` is the day in Beijing."""
    batches = {batch.id: batch for batch in _batches(session, survey, branch)}
    by_batch = {number: Tally(str(number), batch.size) for number, batch in batches.items()}
    by_holder: dict[str, Tally] = {}
    by_area: dict[int, Tally] = {}
    total = Tally("", sum(batch.size for batch in batches.values()))
    for batch in batches.values():
        by_area.setdefault(batch.area_id, Tally(batch.area_name)).made += batch.size
    for number, holder, state, count in _counts(session, batches):
        batch = batches[number]
        name = holder or batch.holder
        of_holder = by_holder.setdefault(name, Tally(name))
        of_holder.made += count
        is_over = is_expired(batch, today) and state in _STILL_OUT
        for tally in (by_batch[number], of_holder, by_area[batch.area_id], total):
            tally.stored[state] += count
            tally.states[CardState.EXPIRED if is_over else state] += count
    return Ledger(
        [
            BatchTally(batch, by_batch[number], is_expired(batch, today))
            for number, batch in batches.items()
        ],
        [by_holder[name] for name in sorted(by_holder)],
        list(by_area.values()),
        total,
    )


def _batches(session: Session, survey: Survey, branch: Area) -> Sequence[Batch]:
    return session.scalars(
        select(Batch)
        .join(Batch.area)
        .where(Batch.survey_id == survey.id, in_reach(Batch.survey_id, branch))
        .options(joinedload(Batch.area))
        .order_by(Batch.id)
    ).all()


def _counts(
    session: Session, batches: Iterable[int]
) -> Sequence[Row[int, str | None, CardState, int]]:
    query = (
        select(Card.batch_id, Card.holder, Card.state, func.count())
        .where(Card.batch_id.in_(batches))
        .group_by(Card.batch_id, Card.holder, Card.state)
    )
    return session.execute(query).all()


# ---------------------------------------------------------------------------------------------
# Conservation
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the books and the cards of a batch disagree: what was entered, what there is."""

    batch_id: int
    what: str
    entered: int
    counted: int


def find_differences(session: Session, batches: Sequence[Batch]) -> list[Difference]:
    """Compare the cards of these batches with what was entered; nothing found is as it should be.

    Made is the sum of all states. By the events: the states that staff alone bring about hold
    exactly what was moved in less what was moved out, those with residents do so together, and
    of printed and issued cards there are never more. Answer sheets are never more than answered.
    """
    books = _books(session, [batch.id for batch in batches])
    return [each for batch in batches for each in _compare(batch, books[batch.id])]


def load_all_batches(session: Session) -> Sequence[Batch]:
    """Return every batch: for commands, which no area bounds."""
    return session.scalars(select(Batch).order_by(Batch.id)).all()


def _compare(batch: Batch, book: "_Book") -> Iterator[Difference]:
    entered, counted = book.entered, book.counted
    equal = [
        ("made", batch.size, counted.total()),
        ("entered", batch.size, entered.total()),
        (
            "with residents",
            sum(entered[state] for state in _WITH_RESIDENTS),
            sum(counted[state] for state in _WITH_RESIDENTS),
        ),
    ]
    equal += [
        (state.value, entered[state], counted[state])
        for state in CardState
        if state not in _WITH_RESIDENTS
    ]
    at_most = [
        ("printed", entered[CardState.PRINTED], counted[CardState.PRINTED]),
        ("issued", entered[CardState.ISSUED], counted[CardState.ISSUED]),
        ("answer sheets", counted[CardState.ANSWERED], book.sheets),
    ]
    for what, expected, found in equal:
        if expected != found:
            yield Difference(batch.id, what, expected, found)
    for what, limit, found in at_most:
        if found > limit:
            yield Difference(batch.id, what, limit, found)


@dataclass(slots=True)
class _Book:
    """Of one batch: cards by state as entered and as counted, and the answer sheets stored."""

    entered: Counter[CardState] = field(default_factory=Counter)
    counted: Counter[CardState] = field(default_factory=Counter)
    sheets: int = 0


def _books(session: Session, batches: Sequence[int]) -> dict[int, _Book]:
    cards = select(Card.batch_id, literal("counted"), Card.state, func.count())
    moved = func.sum(CardEvent.last - CardEvent.first + 1)
    came = select(CardEvent.batch_id, literal("entered"), CardEvent.after, moved)
    went = select(CardEvent.batch_id, literal("entered"), CardEvent.before, -moved)
    answered = literal(CardState.ANSWERED, Card.state.type)
    sheets = select(Submission.batch_id, literal("sheets"), answered, func.count())
    # One statement sees one moment: between two, an act would look like a difference.
    everything: CompoundSelect[int, str, CardState, int] = union_all(
        cards.where(Card.batch_id.in_(batches)).group_by(Card.batch_id, Card.state),
        came.where(CardEvent.batch_id.in_(batches)).group_by(CardEvent.batch_id, CardEvent.after),
        went.where(CardEvent.batch_id.in_(batches), CardEvent.before.is_not(None)).group_by(
            CardEvent.batch_id, CardEvent.before
        ),
        sheets.where(
            Submission.batch_id.in_(batches), Submission.channel == Channel.SCANNED
        ).group_by(Submission.batch_id),
    )
    books = {batch: _Book() for batch in batches}
    for batch, kind, state, count in session.execute(everything):
        match kind:
            case "counted":
                books[batch].counted[state] += count
            case "entered":
                books[batch].entered[state] += count
            case _:
                books[batch].sheets = count
    return books
