"""The gate: what is withheld cannot be computed back from everything that is shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from analysis.designs import Design, Lonely, Sample
from analysis.display import (
    LARGEST_SMALLEST,
    SMALLEST_GROUP,
    GroupStatus,
    Shown,
    official,
    rates_of,
    tables_of,
)
from analysis.frames import SubmissionRow, build_frame
from surveys.questionnaire import Composite, Measure, Questionnaire
from tests.analysis.conftest import FrameOf

TOWNS = (1, 2, 3, 4)
WEIGHTS = {1: 1.0, 2: 2.5, 3: 7.0, 4: 11.0}
SIMPLE = Design(Sample.SIMPLE)
WEIGHTED = Design(Sample.DRAWN, weight="weight", stratum="area", lonely=Lonely.ADJUST)
BLANK = ""
ASKED = ("attitude", "skill")
GRADE = st.sampled_from(["good", "fair", "bad", "unsure", BLANK])
PEOPLE = st.lists(st.tuples(st.sampled_from(TOWNS), GRADE, GRADE), min_size=5, max_size=45)

Cell = tuple[int, str, str]
Sum = Mapping[Cell, float]


@dataclass
class System:
    """Everything published about unknown counts of people by town, question and answer."""

    cells: dict[Cell, int]
    rows: list[Sum] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def publish(self, wanted: Sum) -> None:
        """Add what the sum of these cells is; all that an attacker reads is such a sum."""
        self.rows.append(wanted)
        self.values.append(sum(self.cells[cell] * factor for cell, factor in wanted.items()))

    def range_of(self, wanted: Sum) -> tuple[float, float]:
        """Return between which ends a sum lies, given all that was published."""
        place = {cell: position for position, cell in enumerate(self.cells)}
        matrix = np.zeros((len(self.rows), len(place)))
        for line, row in enumerate(self.rows):
            for cell, factor in row.items():
                matrix[line, place[cell]] = factor
        target = np.zeros(len(place))
        for cell, factor in wanted.items():
            target[place[cell]] = factor
        ends = [linprog(sign * target, A_eq=matrix, b_eq=self.values) for sign in (1, -1)]
        assert all(end.success for end in ends)
        return ends[0].fun, -ends[1].fun


def build(questionnaire: Questionnaire, people: Sequence[tuple[int, str, str]]) -> pd.DataFrame:
    rows = [
        SubmissionRow(
            str(number),
            town,
            "paper",
            None,
            {
                name: given
                for name, given in (("attitude", attitude), ("skill", skill))
                if given != BLANK
            },
        )
        for number, (town, attitude, skill) in enumerate(people)
    ]
    frame = build_frame(questionnaire, rows)
    return frame.assign(weight=frame["area"].map(WEIGHTS))


def cells_of(people: Sequence[tuple[int, str, str]]) -> dict[Cell, int]:
    cells: dict[Cell, int] = {
        (town, name, code): 0
        for town in TOWNS
        for name in ASKED
        for code in ("good", "fair", "bad", "unsure", BLANK)
    }
    for town, attitude, skill in people:
        cells[town, "attitude", attitude] += 1
        cells[town, "skill", skill] += 1
    return cells


def sums(measure: Measure, towns: Sequence[int]) -> dict[str, dict[Cell, float]]:
    """Return which cells the figures of a rate add up: its definition, read once more."""
    found: dict[str, dict[Cell, float]] = {"positive": {}, "counted": {}}
    for town in towns:
        for item in measure.items:
            for code in ("good", "fair", "bad", "unsure", BLANK):
                cell = (town, item.question, code)
                if code in item.positive:
                    found["positive"][cell] = 1
                if not (code == BLANK and measure.base == "valid") and not (
                    code == "unsure" and measure.dont_know == "left_out"
                ):
                    found["counted"][cell] = 1
    return found


def weighted(wanted: Sum) -> Sum:
    return {cell: factor * WEIGHTS[cell[0]] for cell, factor in wanted.items()}


def attack(
    people: Sequence[tuple[int, str, str]],
    questionnaire: Questionnaire,
    shown: Sequence[Shown],
    *,
    has_weights: bool,
) -> System:
    """Write down what every table of totals says, and how many were asked where."""
    system = System(cells_of(people))
    for town in TOWNS:
        for name in ASKED:
            system.publish({cell: 1 for cell in system.cells if cell[:2] == (town, name)})
    blocks = [
        block
        for table in tables_of(build(questionnaire, people), questionnaire)
        for block in table.blocks
    ]
    for question, code, count in (
        (block.question, row.code, row.count) for block in blocks for row in block.rows
    ):
        if count is not None and question in ASKED:
            system.publish({(town, question, code): 1 for town in TOWNS})
    for each in shown:
        if each.rates and not each.measure.per_option and each.measure.id != "awareness":
            figures = sums(each.measure, TOWNS)
            for wanted in figures.values():
                system.publish(wanted)
            if has_weights:
                system.publish(weighted(figures["positive"]))
    return system


def add_towns(system: System, shown: Sequence[Shown]) -> System:
    """Add what the rows by town say; an empty base is said as well."""
    for each in shown:
        for group in each.groups:
            figures = sums(each.measure, [int(group.group)])
            if group.status is GroupStatus.SHOWN:
                for wanted in figures.values():
                    system.publish(wanted)
            elif (
                group.status is GroupStatus.NOBODY_ANSWERED
                and each.measure.composite is not Composite.MEAN
            ):
                system.publish(figures["counted"])
    return system


def recovered(
    people: Sequence[tuple[int, str, str]], questionnaire: Questionnaire, design: Design
) -> Iterator[str]:
    """Yield every withheld figure of few people that the published ones fix."""
    has_weights = design.sample is Sample.DRAWN
    frame = build(questionnaire, people)
    shown = rates_of(frame, questionnaire, design, "area", TOWNS)
    totals, everything = (
        attack(people, questionnaire, shown, has_weights=has_weights) for _ in range(2)
    )
    add_towns(everything, shown)
    for each in shown:
        for group in each.groups:
            cells = sums(each.measure, [int(group.group)])
            few = 0 < sum(totals.cells[cell] for cell in cells["counted"]) < SMALLEST_GROUP
            if group.status is not GroupStatus.SUPPRESSED or not few:
                continue
            narrow = _width(everything, cells["positive"])
            if narrow < 1 <= _width(totals, cells["positive"]):
                yield f"{each.measure.id} of town {group.group}"


def _width(system: System, wanted: Sum) -> float:
    low, high = system.range_of(wanted)
    return high - low + 1e-6


@settings(max_examples=25)
@given(people=PEOPLE)
@example(people=[(1, "good", "good")] * 3 + [(2, "good", "bad")] * 8 + [(3, "bad", "bad")] * 20)
def test_nothing_withheld_follows_from_all_tables_together(
    questionnaire: Questionnaire, people: Sequence[tuple[int, str, str]]
) -> None:
    """Neither total minus shown towns, nor another definition, nor the ends 0 and n tell."""
    assert list(recovered(people, questionnaire, SIMPLE)) == []


@settings(max_examples=25)
@given(people=PEOPLE)
def test_weights_do_not_tell_two_hidden_towns_apart(
    questionnaire: Questionnaire, people: Sequence[tuple[int, str, str]]
) -> None:
    """The raw and the weighted total are two equations: enough for two unknowns."""
    assert list(recovered(people, questionnaire, WEIGHTED)) == []


@pytest.mark.parametrize("smallest", [SMALLEST_GROUP, LARGEST_SMALLEST])
def test_a_total_of_few_people_is_withheld_with_all_that_is_made_from_it(
    questionnaire: Questionnaire, frame_of: FrameOf, smallest: int
) -> None:
    """Over the base `interviewed` the very same four answers would be shares of twenty people."""
    few = smallest - 1
    frame = frame_of(*[{"attitude": "good"}] * few, *[{"skill": "bad"}] * 20)
    shown = {
        each.measure.id: each
        for each in rates_of(frame, questionnaire, SIMPLE, "area", [1], smallest=smallest)
    }
    assert {shown[name].status for name in ("valid", "interviewed", "mean", "pooled")} == {
        GroupStatus.SUPPRESSED
    }
    assert not any(each.rates or each.groups for each in shown.values())
    (grades, _heard) = tables_of(frame, questionnaire, smallest)
    counts = {block.question: [row.count for row in block.rows] for block in grades.blocks}
    assert counts == {"attitude": [None] * 4, "skill": [0, 0, 20, 0]}


def test_an_official_table_leaves_out_what_is_not_reliable(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    frame = frame_of(
        *[{"attitude": "good"}] * 190,
        *[{"attitude": "bad"}] * 30,
        areas=[1] * 190 + [1] * 20 + [2] * 10,
    )
    (valid, *_rest) = [
        each
        for each in rates_of(frame, questionnaire, SIMPLE, "area", [1, 2])
        if each.measure.id == "valid"
    ]
    assert [group.status for group in valid.groups] == [GroupStatus.SHOWN] * 2
    table = official(valid)
    assert table.rates == valid.rates
    assert [group.status for group in table.groups] == [
        GroupStatus.SHOWN,
        GroupStatus.UNRELIABLE,
    ]
    assert table.groups[1].rate is None
