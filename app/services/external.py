"""Rates that other sources counted (外部数据): two numbers and a source, never answer sheets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from app.db import rows_hit
from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.models import Area, ExternalRate, Staff, Survey
from surveys.questionnaire import Questionnaire

LONGEST_SOURCE = 300
MOST_PEOPLE = 2_000_000_000


@dataclass(frozen=True, slots=True)
class RatePlan:
    """What another source counted: `numerator` of `base` people, and where that is written."""

    measure_id: str
    numerator: int
    base: int
    source: str


@dataclass(frozen=True, slots=True)
class ExternalFigure:
    """A rate of another source as it stands beside a survey's own; `value` is exact."""

    measure_id: str
    area_id: int
    area_name: str
    numerator: int
    base: int
    value: Fraction
    source: str


def load_figures(session: Session, survey: Survey) -> tuple[ExternalFigure, ...]:
    """Return the rates of other sources that count, the newest first."""
    return tuple(
        ExternalFigure(
            rate.measure_id,
            rate.area_id,
            rate.area_name,
            rate.numerator,
            rate.base,
            Fraction(rate.numerator, rate.base),
            rate.source,
        )
        for rate in load_external_rates(session, survey)
        if rate.withdrawn_at is None
    )


def enter_rate(
    session: Session,
    survey: Survey,
    questionnaire: Questionnaire,
    area: Area,
    plan: RatePlan,
    staff: Staff,
    now: datetime,
) -> ExternalRate:
    """Enter one rate of another source for an area of a survey. Raises `InvalidInput`."""
    faults: dict[str, Sentence] = {}
    if plan.measure_id not in {one.id for one in questionnaire.measures if not one.per_option}:
        faults["measure"] = _("请选择一个测量项。")
    if not 1 <= plan.base <= MOST_PEOPLE:
        faults["base"] = _("请填写总共多少人，至少 1。")
    elif not 0 <= plan.numerator <= plan.base:
        faults["numerator"] = _("应在 0 和总人数之间。")
    if not plan.source.strip():
        faults["source"] = _("请写明数据从哪里来：哪份文件、哪一天、谁提供的。")
    if faults:
        raise InvalidInput(faults)
    made = ExternalRate(
        survey_id=survey.id,
        area_id=area.id,
        staff_id=staff.id,
        measure_id=plan.measure_id,
        numerator=plan.numerator,
        base=plan.base,
        source=plan.source.strip(),
        entered_at=now,
        reason="",
    )
    session.add(made)
    session.flush()
    return made


def load_external_rates(session: Session, survey: Survey) -> Sequence[ExternalRate]:
    """Return every rate of another source, withdrawn ones too, the newest first."""
    query = select(ExternalRate).where(ExternalRate.survey_id == survey.id)
    newest = query.options(joinedload(ExternalRate.area)).order_by(ExternalRate.id.desc())
    return session.scalars(newest).all()


def find_external_rate(session: Session, survey: Survey, rate_id: int) -> ExternalRate:
    """Return one rate of another source. Raises `NotFound`."""
    for rate in load_external_rates(session, survey):
        if rate.id == rate_id:
            return rate
    raise NotFound


def withdraw_rate(session: Session, rate: ExternalRate, reason: str, now: datetime) -> None:
    """Take a rate off the results. Raises `Problem` without a reason, or when it is off already."""
    if not reason.strip():
        raise Problem(_("请写明为什么撤下这条数据。"))
    claim = (
        update(ExternalRate)
        .where(ExternalRate.id == rate.id, ExternalRate.withdrawn_at.is_(None))
        .values(withdrawn_at=now, reason=reason.strip())
    )
    if rows_hit(session, claim) == 0:
        raise Problem(_("这条数据已经撤下了。"))
