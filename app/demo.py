"""The demo: the Beian zone with its three towns, one replayed survey and one that is open.

And beside it an evaluation of made-up townships (`app.demo_evaluation`).

The replay is made from what the report published (tables 3 to 8, 103 respondents) and from
nothing else: every question's counts are the printed ones, in a seeded random order, so the
questions are independent of each other, which real answers would not be. Questions 2 and 11 were
never published and stay blank. The report does not say who lived where; the towns are dealt out
evenly. Each submission is marked as replayed.
"""

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.published import Published, load_bundled, published_counts
from app import demo_evaluation
from app.config import Keys
from app.formats import date_of
from app.models import (
    Area,
    Batch,
    Card,
    CardState,
    Channel,
    Origin,
    Role,
    Survey,
    SurveyState,
)
from app.services import accounts, areas, cards, collecting, ledger, passwords, publishing
from app.services.codes import card_code
from surveys.answers import check
from surveys.library import bundled

ZONE = "湄洲湾北岸经济开发区"
TOWNS = ("忠门镇", "东埔镇", "山亭镇")
PASSWORD = "minping-demo"  # noqa: S105 - printed in the README, refused outside the demo
EVALUATOR, FIELDWORKER = "pingjia", "diaocha"
REPORT = "beian-2020-public-health"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://minping.example/replay/beian-2020")

_NOTICE = {
    "organiser": "北岸经开区评价工作组",
    "purpose": "只用于评价基本公共卫生服务。",
    "collected": "您的选项、收到的时间（只到小时）、答题用时。不收集姓名、电话、住址。",
    "readers": "评价人员，只看汇总结果。",
    "contact": "北岸经开区卫健局基本公卫调查组",
}


@dataclass(frozen=True, slots=True)
class DemoAddresses:
    """Where each of the three users begins; paths on this server, and one unanswered card."""

    card: str | None
    poster: str
    replayed_survey: int
    open_survey: int


def load_demo(session: Session, keys: Keys, now: datetime) -> bool:
    """Make the demo data unless it is there already. Return whether it was made."""
    if session.scalar(select(Area.id).where(Area.name == ZONE)) is not None:
        return False
    zone = areas.add_area(session, ZONE)
    towns = [areas.add_area(session, name, zone) for name in TOWNS]
    password_hash = passwords.hash_password(PASSWORD)
    accounts.add_staff(session, EVALUATOR, Role.EVALUATOR, zone, password_hash, is_demo=True)
    accounts.add_staff(session, FIELDWORKER, Role.FIELDWORKER, zone, password_hash, is_demo=True)
    replay(session, zone, towns, keys, now)
    _open_survey(session, zone, towns, keys, now)
    demo_evaluation.load(session, password_hash, now)
    return True


def replay(session: Session, zone: Area, towns: list[Area], keys: Keys, now: datetime) -> Survey:
    """Store the published respondents as submissions of a survey, and close it."""
    published = load_bundled(REPORT)
    survey = _survey(session, zone, "2020年基本公共卫生服务问卷调查（按公布的表3–8重放）", now)
    publishing.move_survey(session, survey, SurveyState.OPEN)
    questionnaire = bundled()[published.questionnaire]
    for number, answers in enumerate(replayed_answers(published)):
        delivery = collecting.Delivery(
            key=uuid.uuid5(_NAMESPACE, str(number)),
            sheet=check(questionnaire, answers, accept_blanks=True),
            origin=Origin.REPLAYED,
        )
        town = towns[number % len(towns)]
        invitation = collecting.invite(survey, town.id, Channel.PAPER)
        collecting.record_submission(session, invitation, delivery, keys, now)
    publishing.move_survey(session, survey, SurveyState.CLOSED)
    return survey


def replayed_answers(published: Published) -> list[Mapping[str, list[str]]]:
    """Deal the printed counts out to as many people as answered; the same deal every time."""
    people: list[dict[str, list[str]]] = [{} for _ in range(published.respondents)]
    for question, counts in published_counts(published).items():
        codes = [code for code, count in counts.items() for _ in range(count)]
        random.Random(f"{published.id}:{question}").shuffle(codes)  # noqa: S311 - a replay, no secret
        for person, code in zip(people, codes, strict=True):
            person[question] = [code]
    return list(people)


def find_addresses(session: Session, keys: Keys) -> DemoAddresses | None:
    """Return where the demo's users begin; None when there is no demo data."""
    zone = session.scalar(select(Area).where(Area.name == ZONE))
    if zone is None:
        return None
    # The two surveys of the demo are the oldest ones here, whatever was made or closed since.
    replayed, open_survey = sorted(
        publishing.load_surveys(session, zone), key=lambda survey: survey.id
    )[:2]
    poster = publishing.load_posters(session, open_survey)[0]
    return DemoAddresses(
        card=_unanswered_card(session, open_survey, keys),
        poster=f"/p/{poster.slug}",
        replayed_survey=replayed.id,
        open_survey=open_survey.id,
    )


def _unanswered_card(session: Session, survey: Survey, keys: Keys) -> str | None:
    row = session.execute(
        select(Batch.seed, Card.serial)
        .join(Card, Card.batch_id == Batch.id)
        .where(Batch.survey_id == survey.id, Card.state.in_(collecting.ANSWERABLE))
        .order_by(Card.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else f"/s/{card_code(keys.card, row.seed, row.serial)}"


def _open_survey(
    session: Session, zone: Area, towns: list[Area], keys: Keys, now: datetime
) -> None:
    survey = _survey(session, zone, "基本公共卫生服务知晓率及满意度调查", now)
    publishing.move_survey(session, survey, SurveyState.OPEN)
    for town in towns:
        stamp = ledger.Stamp(FIELDWORKER, now)
        plan = cards.BatchPlan(20, f"{town.name}卫生院")
        batch = cards.make_batch(session, survey, town, plan, keys, stamp)
        ledger.release(session, batch, stamp)
        ledger.move(session, batch, [(1, batch.size)], CardState.ISSUED, stamp)


def _survey(session: Session, zone: Area, title: str, now: datetime) -> Survey:
    closes_at = now + timedelta(days=365)
    erase_at = date_of(closes_at + timedelta(days=365))
    plan = publishing.SurveyPlan(
        title=title,
        opens_at=now - timedelta(minutes=1),
        closes_at=closes_at,
        notice=publishing.NoticePlan(**_NOTICE, erase_at=erase_at),
    )
    return publishing.make_survey(session, bundled()["beian-2020-fielded"], zone, plan)
