"""The demo's evaluation: Huoqiu's rubric over 31 townships that do not exist.

The rubric is the county's own (31 townships and zones, 2020). Names and figures are made up by a
rule from the township's number: no real township is given points here.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.formats import date_of
from app.models import (
    Entry,
    EntryState,
    EvaluationObject,
    ReportedScore,
    Role,
    ScoreOrigin,
    Staff,
)
from app.services import accounts, areas, entries, evaluations, rubrics
from app.services.entries import NO, YES

COUNTY = "示例县"
TOWNSHIPS = 31
EVALUATOR, FIELDWORKER = "xianji", "xiangzhen"
RUBRIC = "huoqiu-2020-ankang-code"
# What some have not entered, and what of one was sent back.
_NOT_ENTERED = {
    *((1, code) for code in ("4", "5", "6", "9", "10")),
    *((4, "9"), (4, "10"), (19, "3"), (27, "10")),
}
_RETURNED = (1, "2")


def load(session: Session, password_hash: str, now: datetime) -> None:
    """Make the county, its two accounts and its evaluation, half of it looked at."""
    county = areas.add_area(session, COUNTY)
    towns = [
        areas.add_area(session, f"示例乡镇{number:02}", county)
        for number in range(1, TOWNSHIPS + 1)
    ]
    judge, clerk = (
        accounts.add_staff(session, name, role, area, password_hash, is_demo=True)
        for name, role, area in (
            (EVALUATOR, Role.EVALUATOR, county),
            (FIELDWORKER, Role.FIELDWORKER, towns[0]),
        )
    )
    plan = evaluations.EvaluationPlan(
        name="“安康码”应用便民工程绩效评价（演示，数据是编的）",
        year=2020,
        rubric_id=RUBRIC,
        document=rubrics.find_document(session, RUBRIC),
        places=towns,
        others=(),
        survey=None,
        previous=None,
        deadline=now + timedelta(days=30),
        erase_at=date_of(now + timedelta(days=2 * 365)),
    )
    made = evaluations.make_evaluation(session, county, plan, now)
    rubric = evaluations.rubric_of(made)
    objects = evaluations.load_objects(session, made)
    for number, scored in enumerate(objects, 1):
        author = clerk if number == 1 else judge
        for code, typed in _typed(number).items():
            if (number, code) not in _NOT_ENTERED:
                document = entries.read_measurement(rubric.indicator(code), typed, judge.name)
                entered_by = judge if code == "7" else author
                _enter(session, scored, code, document, number, (entered_by, judge), now)
        _report(session, scored, number, clerk, now)
    session.flush()


def _typed(number: int) -> dict[str, dict[str, str]]:
    """Return what is typed for each indicator of a township, by a rule from its number."""
    return {
        "1": {"part0_met": YES, "part1_met": _met(number % 3 > 0), "part2_met": YES},
        "2": {
            "part0_met": YES,
            "part1_cases": str(number % 2),
            "part2_cases": str(number % 3),
            "part3_met": YES,
        },
        "3": {
            "part0_numerator": str(5_500 + 130 * number),
            "part0_denominator": "10000",
            "part1_numerator": str(1_000 * number),
            "part1_denominator": "5500",
            "part2_numerator": str(1_600 * number),
            "part2_denominator": "5500",
        },
        "4": {"part0_cases": str(number % 4)},
        "5": {"part0_met": _met(number % 5 > 0)},
        "6": {"part0_cases": str(number // 30)},
        "7": {"points": str(number % 7), "reason": "按各项工作完成的时间评定"},
        "9": {"part0_met": _met(number % 6 > 0)},
        "10": {"numerator": str(80 + number % 20), "denominator": "100"},
    }


def _met(is_met: bool) -> str:  # noqa: FBT001 - the value itself
    return YES if is_met else NO


def _enter(
    session: Session,
    scored: EvaluationObject,
    code: str,
    document: str,
    number: int,
    people: tuple[Staff, Staff],
    now: datetime,
) -> None:
    """Add the versions of one entry; `people` entered it and judged it."""
    states = [EntryState.ENTERED]
    if (number, code) == _RETURNED:
        states.append(EntryState.RETURNED)
    elif (number > 1 and number % 2) or code == "7":
        states = [EntryState.ACCEPTED]
    for version, state in enumerate(states, 1):
        is_returned = state is EntryState.RETURNED
        session.add(
            Entry(
                object_id=scored.id,
                indicator=code,
                version=version,
                state=state,
                document=document,
                note="电话访问 100 人" if code == "10" else "",
                staff_id=people[is_returned].id,
                at=now,
                reason="请补上省级媒体的刊载日期" if is_returned else "",
                due=now + timedelta(days=7) if is_returned else None,
            )
        )


def _report(
    session: Session, scored: EvaluationObject, number: int, staff: Staff, now: datetime
) -> None:
    reported = {
        ScoreOrigin.SELF: str(84 + number % 12),
        ScoreOrigin.YEAR_BEFORE: str(61 + number % 25),
    }
    for origin, points in reported.items():
        session.add(
            ReportedScore(
                object_id=scored.id,
                origin=origin,
                indicator="",
                version=1,
                points=points,
                staff_id=staff.id,
                at=now,
            )
        )
