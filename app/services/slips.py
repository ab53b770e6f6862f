"""Questionnaires on paper: keyed by one person or two, compared, and stored exactly once.

A slip is known by survey, area and the number written on it. What is typed stays in `keyings`
until the slip becomes a submission; then it is erased, and nothing says which slip became which
submission (docs/decisions/0023-paper.md).
"""

import hmac
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload

from app.config import Keys
from app.db import rows_hit
from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.models import (
    Area,
    Channel,
    DoubleEntry,
    Keying,
    KeyingDifference,
    Slip,
    SlipState,
    Staff,
    Survey,
)
from app.services import collecting
from app.services.importing import ensure_taken, imported_area
from app.services.survey_areas import Place, in_reach
from surveys.answers import AnswerSheet, asked_questions
from surveys.keying import Typed, controls, read, write
from surveys.questionnaire import QuestionKind, Questionnaire

LONGEST_NUMBER = 20
# The version of the notice that is printed on a slip is keyed like an answer.
NOTICE = "_notice"
UNSETTLED = (SlipState.AWAITING, SlipState.DIFFERING)


# ---------------------------------------------------------------------------------------------
# How many slips are keyed twice
# ---------------------------------------------------------------------------------------------


def find_double_entry(session: Session, survey: Survey) -> DoubleEntry | None:
    """Return how many of a survey's slips are keyed twice, or nothing where nobody has said."""
    return session.get(DoubleEntry, survey.id)


def set_double_entry(session: Session, survey: Survey, share: int) -> int | None:
    """Say how many of a hundred slips are keyed by two people; return what was said before.

    Raises `InvalidInput`, and `Problem` once a slip was keyed.
    """
    if not 0 <= share <= 100:
        raise InvalidInput({"share": _("请填 0 到 100 的整数。")})
    try:
        with session.begin_nested():
            session.add(DoubleEntry(survey_id=survey.id, share=share))
            session.flush()
    except IntegrityError:
        # Whoever keys holds this row meanwhile, so that no slip comes in under the old share.
        rule = session.get_one(DoubleEntry, survey.id, with_for_update=True, populate_existing=True)
        if session.scalar(select(Slip.number).where(Slip.survey_id == survey.id).limit(1)):
            raise Problem(_("已经有问卷录入，双录的比例不能再改。")) from None
        before, rule.share = rule.share, share
        session.flush()
        return before
    return None


def is_keyed_twice(keys: Keys, slip: tuple[int, int, str], share: int) -> bool:
    """Say whether a slip (survey, area, number) is among those that two people key.

    Drawn by a keyed hash: always the same for one slip, and nobody can tell beforehand.
    """
    text = "\0".join(["double-entry", *map(str, slip)])
    drawn = int.from_bytes(hmac.digest(keys.lookup, text.encode(), "sha256")[:8])
    return Fraction(drawn, 2**64) < Fraction(share, 100)


# ---------------------------------------------------------------------------------------------
# Keying
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """What one person typed from one slip, under the key of the form it was typed into.

    `area` is where the slip is from, `notice_number` the version of the notice printed on it.
    """

    key: uuid.UUID
    area: Place
    number: str
    notice_number: int
    sheet: AnswerSheet


def number_fault(number: str) -> Sentence | None:
    """Say what is wrong with a slip's number, if anything is."""
    if not number:
        return _("请填写问卷上的编号。")
    if len(number) > LONGEST_NUMBER:
        return _("最多 %(most)s 个字。", most=LONGEST_NUMBER)
    if not all(sign.isalnum() or sign in "-_./" for sign in number):
        return _("编号只能有数字、字母、汉字和 - _ . /。")
    return None


def record_keying(
    session: Session, survey: Survey, entry: Entry, staff: Staff, keys: Keys, now: datetime
) -> bool:
    """Take one person's entry of a slip; the slip is stored when nothing more is to be known.

    Returns whether it is new; an entry whose key is known changes nothing. Raises `InvalidInput`
    at `number` for a slip that was keyed already, or by the same person, and `Problem` when the
    survey takes none.
    """
    share = _taking(session, survey)
    if (known := find_keying(session, survey, entry.key)) is not None:
        if (known.staff_id, known.area_id, known.number) != (staff.id, entry.area.id, entry.number):
            raise Problem(_("这一页已经录过另一份问卷，请重新打开录入页。"))
        return False
    if fault := number_fault(entry.number):
        raise InvalidInput({"number": fault})
    if imported_area(session, survey, entry.number, keys) == entry.area.id:
        raise InvalidInput({"number": _("这个编号的问卷已经从表格导入过，不要再录。")})
    slip = _slip(session, survey, entry)
    before = _keyings(session, slip)
    if any(keying.staff_id == staff.id for keying in before):
        raise InvalidInput({"number": _("这一份您已经录过。第二遍要由另一个人录。")})
    if len(before) > 1 or (before and slip.state is not SlipState.AWAITING):
        raise InvalidInput({"number": _("这个编号已经录完，请核对编号和片区。")})
    questionnaire = collecting.load_questionnaire(session, survey.questionnaire.digest)
    typed = {NOTICE: str(entry.notice_number), **write(questionnaire, entry.sheet)}
    place = len(before) + 1
    session.add(_keying(slip, place, staff, entry.key, typed))
    session.flush()
    if before and typed != before[0].typed:
        slip.state = SlipState.DIFFERING
    elif before or not is_keyed_twice(keys, _name(slip), share):
        _store(session, survey, slip, (entry.notice_number, entry.sheet), keys, now)
    session.flush()
    return True


def _taking(session: Session, survey: Survey) -> int:
    """Return the share to key twice, with survey and share held against change until the end."""
    session.refresh(survey, ["state"], with_for_update={"read": True})
    ensure_taken(survey)
    rule = session.get(
        DoubleEntry, survey.id, with_for_update={"read": True}, populate_existing=True
    )
    if rule is None:
        raise Problem(_("还没有定要不要双录。评价人员在“纸质问卷”页定好以后才能录入。"))
    return rule.share


def find_keying(session: Session, survey: Survey, key: uuid.UUID) -> Keying | None:
    """Return the entry that came under this key, if one did."""
    query = select(Keying).where(Keying.survey_id == survey.id, Keying.key == key)
    return session.scalar(query)


def find_slip_keyed(session: Session, survey: Survey, key: uuid.UUID, staff: Staff) -> Slip | None:
    """Return the slip that this person keyed under this key, with its area."""
    keying = find_keying(session, survey, key)
    if keying is None or keying.staff_id != staff.id:
        return None
    query = select(Slip).where(_same(Slip, _name(keying))).options(joinedload(Slip.area))
    return session.scalars(query).one()


def _slip(session: Session, survey: Survey, entry: Entry) -> Slip:
    """Return the slip, made now if nobody keyed it yet; others who key the same one wait."""
    slip = Slip(
        survey_id=survey.id,
        area_id=entry.area.id,
        number=entry.number,
        notice_number=entry.notice_number,
        state=SlipState.AWAITING,
    )
    try:
        # Written first and looked for afterwards: of two at once, one writes and both find it.
        with session.begin_nested():
            session.add(slip)
            session.flush()
    except IntegrityError:
        return _held(session, (survey.id, entry.area.id, entry.number))
    return slip


def _held(session: Session, name: tuple[int, int, str]) -> Slip:
    """Return a slip with its row held until the end. Raises `NotFound`."""
    query = select(Slip).where(_same(Slip, name)).options(joinedload(Slip.area))
    query = query.with_for_update(of=Slip)
    slip = session.scalar(query.execution_options(populate_existing=True))
    if slip is None:
        raise NotFound
    return slip


def _keying(slip: Slip, place: int, staff: Staff, key: uuid.UUID, typed: Typed) -> Keying:
    survey_id, area_id, number = _name(slip)
    return Keying(
        survey_id=survey_id,
        area_id=area_id,
        number=number,
        place=place,
        staff_id=staff.id,
        key=key,
        typed=dict(typed),
    )


def _store(
    session: Session,
    survey: Survey,
    slip: Slip,
    settled: tuple[int, AnswerSheet],
    keys: Keys,
    now: datetime,
) -> None:
    """Make the one submission of a slip whose row is held, and erase what was typed.

    The submission's key is new and random: one that was made from the slip would lead back to it.
    """
    notice_number, sheet = settled
    stored = (
        update(Slip)
        .where(_same(Slip, _name(slip)), Slip.state.in_(UNSETTLED))
        .values(state=SlipState.STORED)
    )
    if rows_hit(session, stored) != 1:
        raise Problem(_("这一份刚才已经由别人处理了，请刷新页面。"))
    rows_hit(session, update(Keying).where(_same(Keying, _name(slip))).values(typed=None))
    session.expire(slip, ["state"])
    invitation = collecting.invite(survey, slip.area_id, Channel.PAPER)
    delivery = collecting.Delivery(uuid.uuid4(), sheet, notice_number=notice_number)
    collecting.record_new(session, [(invitation, delivery)], keys, now)


# ---------------------------------------------------------------------------------------------
# Comparing and settling
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two people keyed from one slip, by control; `differing` are the controls to settle.

    `asked` are the questions that each of them was led to by what they keyed before.
    """

    slip: Slip
    first: Typed
    second: Typed
    differing: tuple[str, ...]
    asked: tuple[frozenset[str], frozenset[str]]


def load_differing(
    session: Session, survey: Survey, branch: Area, most: int
) -> Sequence[Comparison]:
    """Return the comparisons of slips in this branch that are to be settled, by area and number."""
    query = _slips_in(survey, branch).where(Slip.state == SlipState.DIFFERING)
    slips = session.scalars(query.order_by(Slip.area_id, Slip.number).limit(most)).all()
    questionnaire = collecting.load_questionnaire(session, survey.questionnaire.digest)
    return [_compared(session, questionnaire, slip) for slip in slips]


def find_differing(
    session: Session, survey: Survey, branch: Area, area_id: int, number: str
) -> Comparison:
    """Return the comparison of one slip in this branch, its row held until the end.

    Raises `NotFound`, and `Problem` when somebody settled it meanwhile.
    """
    query = _slips_in(survey, branch).where(Slip.area_id == area_id, Slip.number == number)
    if session.scalar(query) is None:
        raise NotFound
    slip = _held(session, (survey.id, area_id, number))
    if slip.state is not SlipState.DIFFERING:
        raise Problem(_("这一份刚才已经由别人处理了，请刷新页面。"))
    questionnaire = collecting.load_questionnaire(session, survey.questionnaire.digest)
    return _compared(session, questionnaire, slip)


def _compared(session: Session, questionnaire: Questionnaire, slip: Slip) -> Comparison:
    first, second = (keying.typed or {} for keying in _keyings(session, slip))
    ids = [NOTICE, *(control.id for control in controls(questionnaire))]
    return Comparison(
        slip,
        first,
        second,
        tuple(name for name in ids if first.get(name) != second.get(name)),
        (_asked(questionnaire, first), _asked(questionnaire, second)),
    )


def _asked(questionnaire: Questionnaire, typed: Typed) -> frozenset[str]:
    return asked_questions(questionnaire, read(questionnaire, typed).answers)


def settle(
    session: Session,
    survey: Survey,
    found: Comparison,
    settled: Mapping[str, str],
    keys: Keys,
    now: datetime,
) -> None:
    """Store a slip with what is right in each control that differed.

    Raises `InvalidAnswers` where what is right does not fit together, `InvalidInput` at the
    notice's version, and `Problem` when the survey takes none.
    """
    _taking(session, survey)
    questionnaire = collecting.load_questionnaire(session, survey.questionnaire.digest)
    right = {**found.first, **{name: settled.get(name, "") for name in found.differing}}
    sheet = read(questionnaire, right)
    notice_number = _notice_number(survey, right[NOTICE])
    written = {NOTICE: str(notice_number), **write(questionnaire, sheet)}
    asked = asked_questions(questionnaire, sheet.answers)
    for question_id, wrong in _wrong(questionnaire, found, written, asked).items():
        survey_id, area_id, number = _name(found.slip)
        session.add(
            KeyingDifference(
                survey_id=survey_id,
                area_id=area_id,
                number=number,
                question_id=question_id,
                first_wrong=wrong[0],
                second_wrong=wrong[1],
            )
        )
    session.flush()
    _store(session, survey, found.slip, (notice_number, sheet), keys, now)


def _notice_number(survey: Survey, typed: str) -> int:
    if not (typed.isdecimal() and len(typed) < 10 and 1 <= int(typed) <= survey.notice_number):
        raise InvalidInput({NOTICE: _("没有这一版说明。")})
    return int(typed)


def _wrong(
    questionnaire: Questionnaire, found: Comparison, right: Typed, asked: frozenset[str]
) -> dict[str, tuple[bool, bool]]:
    """Return who was wrong in which question; only in those that the right answers lead to.

    Somebody who keyed one question wrong and was therefore led past others was wrong once.
    """
    wrong: dict[str, tuple[bool, bool]] = {}
    for control in controls(questionnaire):
        if control.id not in found.differing or control.question.id not in asked:
            continue
        missed = [
            control.question.id in led and typed.get(control.id) != right.get(control.id)
            for led, typed in zip(found.asked, (found.first, found.second), strict=True)
        ]
        before = wrong.get(control.part.id, (False, False))
        if any(missed):
            wrong[control.part.id] = (before[0] or missed[0], before[1] or missed[1])
    return wrong


def withdraw(session: Session, survey: Survey, branch: Area, slip: tuple[int, str]) -> Area:
    """Take a slip (area, number) that is not settled back, so that its number is free again.

    Returns its area. Raises `NotFound`, and `Problem` once it is stored: a submission stays.
    """
    area_id, number = slip
    query = _slips_in(survey, branch).where(Slip.area_id == area_id, Slip.number == number)
    found = session.scalar(query)
    if found is None:
        raise NotFound
    area = found.area
    held = _held(session, (survey.id, area_id, number))
    if held.state not in UNSETTLED:
        raise Problem(_("这一份已经存成答卷或已到期删除，不能撤回。"))
    rows_hit(session, delete(Keying).where(_same(Keying, _name(held))))
    rows_hit(session, delete(Slip).where(_same(Slip, _name(held))))
    return area


# ---------------------------------------------------------------------------------------------
# Counting
# ---------------------------------------------------------------------------------------------


def count_slips(session: Session, survey: Survey, branch: Area) -> dict[SlipState, int]:
    """Return how many slips of a branch are in each state; together they are those keyed."""
    query = (
        select(Slip.state, func.count())
        .join(Area, Area.id == Slip.area_id)
        .where(Slip.survey_id == survey.id, in_reach(Slip.survey_id, branch))
        .group_by(Slip.state)
    )
    found = Counter({state: count for state, count in session.execute(query)})  # noqa: C416 - rows
    return {state: found[state] for state in SlipState}


def load_awaiting(
    session: Session, survey: Survey, branch: Area, staff: Staff, most: int
) -> Sequence[Slip]:
    """Return slips of a branch that wait for somebody else, and this person can key."""
    mine = select(Keying.number).where(_of_slip(Keying), Keying.staff_id == staff.id).exists()
    query = _slips_in(survey, branch).where(Slip.state == SlipState.AWAITING, ~mine)
    return session.scalars(query.order_by(Slip.area_id, Slip.number).limit(most)).all()


def load_mine(
    session: Session, survey: Survey, branch: Area, staff: Staff, most: int
) -> Sequence[Slip]:
    """Return slips of a branch that this person keyed first, and that wait for somebody else."""
    mine = select(Keying.number).where(_of_slip(Keying), Keying.staff_id == staff.id).exists()
    query = _slips_in(survey, branch).where(Slip.state == SlipState.AWAITING, mine)
    return session.scalars(query.order_by(Slip.area_id, Slip.number).limit(most)).all()


@dataclass(frozen=True, slots=True)
class Agreement:
    """In how many slips (`base`) two people keyed a question, and in how many alike (`alike`)."""

    number: str
    text: str
    base: int
    alike: int

    @property
    def rate(self) -> Fraction | None:
        """The share of slips keyed alike; nothing where none was compared."""
        return Fraction(self.alike, self.base) if self.base else None


@dataclass(frozen=True, slots=True)
class KeyerErrors:
    """How many questions (`wrong` of `base`) one person keyed wrong, in `slips` keyed twice."""

    name: str
    slips: int
    wrong: int
    base: int

    @property
    def rate(self) -> Fraction | None:
        """The share of questions keyed wrong; nothing where there was none."""
        return Fraction(self.wrong, self.base) if self.base else None


def load_agreement(
    session: Session, survey: Survey, branch: Area
) -> tuple[Sequence[Agreement], Sequence[KeyerErrors]]:
    """Return how alike the slips of a branch were keyed, by question and by person.

    Of stored slips that two people keyed; a blank is something keyed, and a row of a matrix is a
    question.
    """
    questionnaire = collecting.load_questionnaire(session, survey.questionnaire.digest)
    parts = [
        part
        for question in questionnaire.questions
        if question.kind is not QuestionKind.INFORMATION
        for part in question.parts
    ]
    second = aliased(Keying)
    stored = _slips_in(survey, branch).where(Slip.state == SlipState.STORED)
    keyings = session.scalars(
        stored.with_only_columns(Keying)
        .join(Keying, _of_slip(Keying))
        .join(second, _of_slip(second) & (second.place == 2))
        .options(joinedload(Keying.staff))
    ).all()
    rows = session.scalars(
        stored.with_only_columns(KeyingDifference).join(
            KeyingDifference, _of_slip(KeyingDifference)
        )
    ).all()
    differing = Counter(row.question_id for row in rows)
    wrong = Counter(
        (*_name(row), place)
        for row in rows
        for place, is_wrong in enumerate((row.first_wrong, row.second_wrong), 1)
        if is_wrong
    )
    by_keyer: dict[str, list[int]] = defaultdict(list)
    for keying in keyings:
        by_keyer[keying.staff.name].append(wrong[(*_name(keying), keying.place)])
    base = len(keyings) // 2
    return (
        [Agreement(part.number, part.text, base, base - differing[part.id]) for part in parts],
        [
            KeyerErrors(name, len(each), sum(each), len(each) * len(parts))
            for name, each in sorted(by_keyer.items())
        ],
    )


# ---------------------------------------------------------------------------------------------
# Slips by name
# ---------------------------------------------------------------------------------------------


def _name(row: Slip | Keying | KeyingDifference) -> tuple[int, int, str]:
    return row.survey_id, row.area_id, row.number


def _same(table: type[Slip] | type[Keying], name: tuple[int, int, str]) -> ColumnElement[bool]:
    return and_(table.survey_id == name[0], table.area_id == name[1], table.number == name[2])


def _of_slip(table: type[Keying] | type[KeyingDifference]) -> ColumnElement[bool]:
    return and_(
        table.survey_id == Slip.survey_id,
        table.area_id == Slip.area_id,
        table.number == Slip.number,
    )


def _slips_in(survey: Survey, branch: Area) -> Select[Slip]:
    query = (
        select(Slip)
        .join(Slip.area)
        .where(Slip.survey_id == survey.id, in_reach(Slip.survey_id, branch))
    )
    return query.options(contains_eager(Slip.area))


def _keyings(session: Session, slip: Slip) -> Sequence[Keying]:
    query = select(Keying).where(_same(Keying, _name(slip))).order_by(Keying.place)
    return session.scalars(query).all()
