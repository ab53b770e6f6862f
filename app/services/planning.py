"""How many people to ask and where, in percentage points or in a rubric's points."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil

from sqlalchemy.orm import Session

from analysis.planning import (
    Allocation,
    Expected,
    PointsOf,
    Reach,
    Town,
    allocate,
    margin,
    reach,
    sample_size,
    sample_size_for_points,
)
from analysis.rates import FEWEST_EFFECTIVE
from analysis.scoring.rubric import Indicator, Rubric
from analysis.scoring.rules import Better, points
from app.errors import InvalidInput, Sentence
from app.errors import say as _
from app.formats import points as shown_points
from app.models import Area, Channel, Survey
from app.services.readings import scored_by_rate
from app.services.survey_areas import Place, tree_of_today
from app.services.targets import set_target

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Wish:
    """What a sample should be able to tell, and what is assumed.

    `half_width` is in fractions of 1, `within` in points of the indicator; the one that is not
    given is None. With `is_each` every town should tell as much, otherwise all together.
    """

    share: float
    half_width: float | None
    within: Fraction | None
    is_each: bool
    design_effect: float
    response: float
    fewest: int
    most: int | None
    allocation: Allocation


@dataclass(frozen=True, slots=True)
class PlannedPlace:
    """What one place, or all together, can tell; `reach` is None without an indicator."""

    name: str
    area_id: int
    people: int
    approached: int
    answers: int
    half_width: float
    reach: Reach | None
    carries_rate: bool


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """A planned sample: its towns, all together, and what it cannot carry, in words."""

    towns: tuple[PlannedPlace, ...]
    whole: PlannedPlace
    limits: tuple[Sentence, ...]


def rising_indicators(offered: Mapping[str, Rubric]) -> dict[str, Indicator]:
    """Return the indicators whose points never fall as the rate rises, by `RUBRIC:CODE`."""
    return {
        f"{rubric.id}:{indicator.code}": indicator
        for rubric, indicator in scored_by_rate(offered)
        if getattr(indicator.rule, "better", Better.HIGH) is Better.HIGH
    }


def make_plan(
    session: Session, survey: Survey, wish: Wish, indicator: Indicator | None
) -> SamplePlan:
    """Return how many to ask in each town directly below the survey's area.

    Raises
        InvalidInput: the towns have no people, the numbers do not fit between floor and cap, or
            no sample can tell the points so well.
    """
    towns = tree_of_today(session, survey).towns
    _refuse_uncounted(towns)
    points_of = _points_of(indicator)
    numbers = _numbers(towns, wish, points_of)
    planned = tuple(
        _place(town.name, town.id, town.population or 0, number, wish, points_of)
        for town, number in zip(towns, numbers, strict=True)
    )
    whole = _place(
        survey.area.name,
        survey.area.id,
        sum(each.people for each in planned),
        sum(numbers),
        wish,
        points_of,
        _loss(planned),
    )
    return SamplePlan(planned, whole, tuple(_limits(planned, whole)))


def write_targets(
    session: Session, survey: Survey, plan: SamplePlan, channel: Channel
) -> list[tuple[Area, int | None, int]]:
    """Set the planned answers as targets by one channel; return each that changed.

    As (area, number before, number now). Raises `InvalidInput`.
    """
    numbers = {each.area_id: each.answers for each in plan.towns}
    changed = []
    for place in tree_of_today(session, survey).towns:
        area = session.get_one(Area, place.id)
        before = set_target(session, survey, area, channel, numbers[area.id])
        if before != numbers[area.id]:
            changed.append((area, before, numbers[area.id]))
    return changed


def _refuse_uncounted(towns: Sequence[Place]) -> None:
    if not towns:
        sentence = _("调查范围下面没有片区，不能分配样本。请管理员在“片区”里添加。")
        raise InvalidInput({"allocation": sentence})
    if lacking := [town.name for town in towns if not town.population]:
        names = "、".join(lacking)
        sentence = _("这些片区没有人口，请管理员在“片区”里补上：%(names)s。", names=names)
        raise InvalidInput({"allocation": sentence})


def _points_of(indicator: Indicator | None) -> PointsOf | None:
    if indicator is None:
        return None
    return lambda rate: points(indicator.rule, indicator.rounding.enter(rate)).value


def _numbers(towns: Sequence[Place], wish: Wish, points_of: PointsOf | None) -> Sequence[int]:
    """Return how many people to approach in each town."""
    people = [town.population or 0 for town in towns]
    if wish.is_each:
        wanted = [_size(each, wish, points_of) for each in people]
        return [
            min(max(number, wish.fewest), each, *([wish.most] if wish.most else []))
            for number, each in zip(wanted, people, strict=True)
        ]
    number = max(_size(sum(people), wish, points_of), wish.fewest * len(towns))
    places = [Town(town.name, each) for town, each in zip(towns, people, strict=True)]
    try:
        return allocate(number, places, wish.allocation, floor=wish.fewest, cap=wish.most)
    except ValueError as misfit:
        refusal = _("%(number)s 人分不下去：请调整每个乡镇的最少或最多人数。", number=number)
        raise InvalidInput({"most": refusal}) from misfit


def _size(people: int, wish: Wish, points_of: PointsOf | None) -> int:
    expected = _expected(people, wish)
    if wish.half_width is not None:
        return min(people, sample_size(wish.half_width, expected))
    if points_of is None or wish.within is None:
        raise InvalidInput({"indicator": _("要按得分规划，请选择一个指标。")})
    number = sample_size_for_points(wish.within, expected, points_of)
    if number is None:
        refusal = _("问再多人也做不到：预期比率正好在分档的边上，得分会跳。请改用百分点。")
        raise InvalidInput({"within": refusal})
    return min(people, number)


def _expected(people: int, wish: Wish, loss: float = 0.0) -> Expected:
    effect = wish.design_effect * (1 + loss)
    return Expected(wish.share, effect, wish.response, people, CONFIDENCE)


def _place(
    name: str,
    area_id: int,
    people: int,
    approached: int,
    wish: Wish,
    points_of: PointsOf | None,
    loss: float = 0.0,
) -> PlannedPlace:
    # As many answers as the response leaves, exactly: 0.7 of 10 are 7 and not 8.
    answers = max(1, ceil(approached * Fraction(str(wish.response))))
    expected = _expected(people, wish, loss)
    return PlannedPlace(
        name=name,
        area_id=area_id,
        people=people,
        approached=approached,
        answers=answers,
        half_width=margin(answers, expected),
        reach=reach(answers, expected, points_of) if points_of else None,
        carries_rate=answers / expected.design_effect >= FEWEST_EFFECTIVE,
    )


def _loss(planned: Sequence[PlannedPlace]) -> float:
    """Return Kish's loss: towns that are asked out of proportion weigh differently in the whole."""
    answers = sum(each.answers for each in planned)
    squares = sum(each.people**2 / each.answers for each in planned)
    return answers * squares / sum(each.people for each in planned) ** 2 - 1


def _limits(planned: Sequence[PlannedPlace], whole: PlannedPlace) -> Iterator[Sentence]:
    thin = [each.name for each in planned if not each.carries_rate]
    if thin:
        yield _(
            "%(count)s 个乡镇的有效样本不到 %(fewest)s 人，"
            "不能单独公布比率、也不能排名：%(names)s。",
            count=len(thin),
            fewest=FEWEST_EFFECTIVE,
            names="、".join(thin),
        )
    if unsteady := [
        each.name for each in planned if each.reach is not None and each.reach.off_by > 1
    ]:
        yield _(
            "%(count)s 个乡镇各自的得分可能差 %(most)s以上，不能按乡镇逐个百分点扣。",
            count=len(unsteady),
            most=shown_points(Decimal(1)),
        )
    if whole.reach is not None and whole.reach.off_by > 1:
        yield _("合起来的得分也可能差 %(most)s以上。", most=shown_points(Decimal(1)))
