"""Many score sheets of one rubric beside each other: places, ties, grades, who lacks what."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from analysis.scoring.feed import Feed, ObjectRef
from analysis.scoring.rubric import Rubric, Scope
from analysis.scoring.score import ScoreSheet, State, Sum, grade_dict, score, sum_dict


class RankingError(ValueError):
    """Score sheets that cannot be ranked: why not."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One object among the others.

    `place` is None while a measurement is missing. `best` and `worst` are the places that are
    possible with what it and the others may still get.
    """

    about: ObjectRef
    sheet: ScoreSheet
    total: Sum
    place: int | None
    is_tied: bool
    best: int
    worst: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Who is ranked, the best first; who is not yet; how many have which grade.

    `lost` are the indicators that nobody can be scored by, because their criteria are lost:
    they keep nobody from being ranked. `open_grades` counts those whose grade is not settled.
    """

    rubric: Rubric
    ranked: tuple[Standing, ...]
    unranked: tuple[Standing, ...]
    lost: tuple[str, ...]
    grades: dict[str, int]
    open_grades: int

    @property
    def standings(self) -> tuple[Standing, ...]:
        """All of them, those without a place last."""
        return (*self.ranked, *self.unranked)

    def to_dict(self) -> dict[str, object]:
        """Return the ranking for JSON, all numbers but counts and places as strings."""
        return {
            "rubric": {"id": self.rubric.id, "title": self.rubric.title},
            "lost": list(self.lost),
            "grades": {**self.grades, "": self.open_grades},
            "ranked": [_standing_dict(each) for each in self.ranked],
            "unranked": [_standing_dict(each) for each in self.unranked],
        }


def rank_feeds(rubric: Rubric, feeds: Iterable[Feed]) -> Ranking:
    """Score and rank the feeds of many objects.

    Raises: `RankingError`, and `ScoreError` for a measurement that does not fit the rubric.
    """
    found: list[tuple[ObjectRef, ScoreSheet]] = []
    for feed in feeds:
        if feed.about is None:
            raise RankingError("有一份测量数据没有写明评价对象（object）")
        found.append((feed.about, score(rubric, feed.measurements)))
    return rank(rubric, found)


def rank(rubric: Rubric, sheets: Sequence[tuple[ObjectRef, ScoreSheet]]) -> Ranking:
    """Rank objects by the points that are certain, equal points sharing a place (1, 2, 2, 4).

    An object of which a measurement is missing has no place yet. Where criteria are lost the
    points are the same for all: unknown, and left out of everybody's.
    Raises: `RankingError` for a rubric without a total, or an object that comes twice.
    """
    if rubric.scope is Scope.PARTIAL:
        raise RankingError("这个指标体系只收录了一部分指标，没有总分，不能排名")
    doubled = [key for key, count in Counter(about.id for about, _ in sheets).items() if count > 1]
    if doubled:
        raise RankingError(f"同一对象出现两次：{'、'.join(doubled)}")
    reaches = [_reach(sheet) for _, sheet in sheets]
    certain = sorted((low for low, high, is_whole in reaches if is_whole), reverse=True)
    standings = [
        _standing(about, sheet, reach, reaches, certain)
        for (about, sheet), reach in zip(sheets, reaches, strict=True)
    ]
    settled = Counter(each.sheet.grade.settled for each in standings if each.sheet.grade)
    grades = {grade.name: settled[grade.name] for grade in rubric.grades}
    return Ranking(
        rubric=rubric,
        # Sorting keeps the order in which they came within a place.
        ranked=tuple(sorted((one for one in standings if one.place is not None), key=_place)),
        unranked=tuple(one for one in standings if one.place is None),
        lost=tuple(indicator.code for indicator in rubric.indicators if indicator.is_lost),
        grades=grades,
        open_grades=settled[None],
    )


def _place(standing: Standing) -> int:
    return standing.place or 0


# From the certain points to those that are possible without the lost indicators, and whether
# nothing is missing.
_Reach = tuple[Decimal, Decimal, bool]


def _reach(sheet: ScoreSheet) -> _Reach:
    low, high = _total(sheet).points.low, _total(sheet).points.high
    lost = sum(line.high - line.low for line in sheet.lines if line.state is State.UNKNOWN)
    is_whole = not _missing(sheet)
    return low, low if is_whole else max(low, high - lost), is_whole


def _missing(sheet: ScoreSheet) -> tuple[str, ...]:
    return tuple(line.indicator.code for line in sheet.lines if line.state is State.MISSING)


def _total(sheet: ScoreSheet) -> Sum:
    if sheet.total is None:
        raise RankingError("没有总分，不能排名")
    return sheet.total


def _standing(
    about: ObjectRef,
    sheet: ScoreSheet,
    reach: _Reach,
    reaches: Sequence[_Reach],
    certain: Sequence[Decimal],
) -> Standing:
    low, high, is_whole = reach
    return Standing(
        about=about,
        sheet=sheet,
        total=_total(sheet),
        place=certain.index(low) + 1 if is_whole else None,
        is_tied=is_whole and certain.count(low) > 1,
        best=1 + sum(other > high for other, _, _ in reaches),
        # One's own range is never above itself.
        worst=1 + sum(other > low for _, other, _ in reaches) - (high > low),
        missing=_missing(sheet),
    )


def _standing_dict(standing: Standing) -> dict[str, object]:
    grade = standing.sheet.grade
    return {
        "place": standing.place,
        "tied": standing.is_tied,
        "best": standing.best,
        "worst": standing.worst,
        "object": {"id": standing.about.id, "name": standing.about.name},
        "total": sum_dict(standing.total),
        "grade": None if grade is None else grade_dict(grade),
        "missing": list(standing.missing),
    }
