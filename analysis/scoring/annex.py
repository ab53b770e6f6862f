"""A score sheet laid out as the annexes of evaluation reports print it.

一级 / 二级 / 三级指标, 分值, 评分标准, 实际完成, 得分, 扣分明细: one row for each indicator, and
the cell of a level runs over all its indicators.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from analysis.scoring import feed, wording
from analysis.scoring.feed import Measurement
from analysis.scoring.rubric import Indicator
from analysis.scoring.rules import Checklist, Role, full_points
from analysis.scoring.score import Line, ScoreSheet, unit_of


@dataclass(frozen=True, slots=True)
class Cell:
    """A level's name, and over how many rows and columns it runs."""

    name: str
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Row:
    """One indicator's row.

    `levels` has every level's name from the highest to the indicator itself, `cells` those that
    begin in this row. `measured` is empty where nothing was measured. `deducted` is what the
    points lack of the most that the criteria give, which a document may print as another weight;
    None for bonuses, penalties and what was not scored.
    """

    line: Line
    levels: tuple[str, ...]
    cells: tuple[Cell, ...]
    measured: str
    deducted: Decimal | None

    @property
    def rounding(self) -> str:
        """How the points were rounded."""
        return wording.rounding(self.line.indicator.rounding)

    @property
    def deduction(self) -> str:
        """What was taken off, in words; empty where the row has no deduction."""
        taken = "" if self.deducted is None else self._taken(self.deducted)
        over = wording.overflowed(self.line.overflow) if self.line.overflow else ""
        return "；".join(part for part in (taken, over) if part)

    def _taken(self, deducted: Decimal) -> str:
        indicator = self.line.indicator
        full = full_points(indicator.rule) or Fraction(0)
        return wording.deduction(deducted, full, indicator.weight)


@dataclass(frozen=True, slots=True)
class Annex:
    """All rows of a sheet; `depth` is the number of its columns of levels."""

    depth: int
    rows: tuple[Row, ...]


def annex(sheet: ScoreSheet) -> Annex:
    """Lay a score sheet out as a table of its document would be."""
    depth = max(len(line.indicator.path) for line in sheet.lines) + 1
    paths = [line.indicator.path for line in sheet.lines]
    rows = tuple(
        Row(
            line=line,
            levels=(*line.indicator.path, line.indicator.name),
            cells=(*_beginning(paths, place), _own(line.indicator, depth)),
            measured=_measured_of(line),
            deducted=_deducted(line),
        )
        for place, line in enumerate(sheet.lines)
    )
    return Annex(depth, rows)


def _own(indicator: Indicator, depth: int) -> Cell:
    return Cell(indicator.name, 1, depth - len(indicator.path))


def _beginning(paths: list[tuple[str, ...]], place: int) -> Iterator[Cell]:
    """Yield the cells of the levels above that begin in this row."""
    path = paths[place]
    for depth, name in enumerate(path, 1):
        above = paths[place - 1] if place else ()
        if above[:depth] != path[:depth]:
            yield Cell(name, _run(paths, place, depth), 1)


def _run(paths: list[tuple[str, ...]], place: int, depth: int) -> int:
    end = place
    while end < len(paths) and paths[end][:depth] == paths[place][:depth]:
        end += 1
    return end - place


def _deducted(line: Line) -> Decimal | None:
    if line.shown is None or line.indicator.role is not Role.BASE:
        return None
    rounding = line.indicator.rounding
    return rounding.show(full_points(line.indicator.rule) or Fraction(0)) - line.shown


def _measured_of(line: Line) -> str:
    return "" if line.measurement is None else measured_text(line.indicator, line.measurement)


def measured_text(indicator: Indicator, measurement: Measurement) -> str:
    """Return what was measured, with the facts of the conditions, in words."""
    facts = [
        wording.of_part(condition.name, _found(measurement.conditions[condition.id]))
        for condition in indicator.conditions
        if condition.id in measurement.conditions
    ]
    return "；".join([_content(indicator, measurement.content), *facts])


def _content(indicator: Indicator, content: feed.Content) -> str:
    names = _part_names(indicator)
    match content:
        case feed.Count(count, parts) if count is None:
            return _listed(names, {name: _found(found) for name, found in parts.items()})
        case feed.Count(count):
            return wording.number_of(count or 0, unit_of(indicator.rule))
        case feed.Ticks(ticks):
            return _listed(names, {name: _found(found) for name, found in ticks.items()})
        case feed.Parts(parts):
            return _listed(names, {name: _part(indicator, name, parts[name]) for name in parts})
        case feed.Rate() | feed.Ratio() | feed.Judgement():
            return _figure(content, unit_of(indicator.rule))
        case _:
            assert_never(content)


def _part(indicator: Indicator, name: str, content: feed.PartContent) -> str:
    if isinstance(content, int):
        return _found(content)
    rule = indicator.rule
    rules = {part.id: part.rule for part in rule.parts} if isinstance(rule, Checklist) else {}
    own = rules.get(name)
    return _figure(content, "" if own is None else unit_of(own))


def _figure(content: feed.Rate | feed.Ratio | feed.Judgement, unit: str) -> str:
    match content:
        case feed.Rate(numerator, base, value):
            is_quotient = Fraction(numerator, base) == value
            return wording.counted(numerator, base) if is_quotient else wording.percent(value)
        case feed.Ratio(numerator, denominator):
            return wording.measured_ratio(numerator, denominator, unit)
        case feed.Judgement(points, author, reason):
            return wording.judged(points, author, reason)
        case _:
            assert_never(content)


def _found(found: int) -> str:
    return wording.met(is_met=found) if isinstance(found, bool) else wording.number_of(found, "")


def _listed(names: dict[str, str], told: dict[str, str]) -> str:
    return "；".join(wording.of_part(names.get(part, part), text) for part, text in told.items())


def _part_names(indicator: Indicator) -> dict[str, str]:
    rule = indicator.rule
    return {part.id: part.name for part in rule.parts} if isinstance(rule, Checklist) else {}
