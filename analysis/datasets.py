"""Coded answer sheets as a dataset to hand out: what each column means, and who stays hidden.

A dataset knows no key, no batch, no instant, no duration and no text. Its rows stand in the order
of their contents, which says nothing of the order in which they came in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import pandas as pd

from analysis.display import SMALLEST_GROUP, groups_to_hide
from surveys.questionnaire import Option, OptionKind, Question, QuestionKind, Questionnaire

YES_NO = {1: "是", 0: "否"}
_FIRST_UNSURE = 97
_RESERVED = {*["ALL", "AND", "BY", "EQ", "GE", "GT", "LE", "LT", "NE", "NOT", "OR", "TO", "WITH"]}
_LONGEST_NAME = 64


class VariableKind(StrEnum):
    """What the cells of a column are."""

    CODE = "code"
    FLAG = "flag"
    NUMBER = "number"
    RANK = "rank"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Value:
    """One answer that a coded column can hold: its code, the number that stands for it in SPSS.

    `is_unsure` marks 不清楚 and 不适用 beside numbered points: no mean may count their number.
    """

    code: str
    number: int
    label: str
    is_unsure: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """One column: `name` is one that SPSS takes, `column` the name in the frame."""

    name: str
    column: str
    label: str
    kind: VariableKind
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Coded answers with a column for each variable, under the variables' names."""

    variables: tuple[Variable, ...]
    frame: pd.DataFrame


def make_dataset(
    frame: pd.DataFrame,
    questionnaire: Questionnaire,
    towns: Mapping[int, str],
    channels: Mapping[str, str],
    smallest: int = SMALLEST_GROUP,
) -> Dataset:
    """Return the coded answers of a frame without what could tell who answered.

    Parameters
        frame: as `build_frame` makes it.
        towns: names of areas by their number in the frame.
        channels: names of channels by their word in the frame.
        smallest: area and channel stand together only beside so many people; elsewhere the
            channel is left out, and then the area, of more people where those left would be few.

    Returns
        A dataset whose days are months: a day of birth is nearly a name.

    Raises
        ValueError: fewer than `smallest` people answered.

    Source: SECURITY.md (anonymity).

    Example: two people of one town who were telephoned are there without their channel, and so
    are those of its next smallest channel.
    """
    if len(frame) < smallest:
        raise ValueError(f"fewer than {smallest} answer sheets")
    named = frame.assign(
        area=_shown_areas(frame, smallest), channel=_shown_channels(frame, smallest)
    )
    variables = _with_own_names([*_about(towns, channels), *_answers(frame, questionnaire)])
    columns = {each.name: _column(each, named[each.column]) for each in variables}
    made = pd.DataFrame(columns)
    ordered = made.sort_values([*columns], na_position="first", ignore_index=True)
    return Dataset(variables, ordered)


def _shown_areas(frame: pd.DataFrame, smallest: int) -> "pd.Series[str]":
    hidden = _few(frame["area"], smallest)
    return frame["area"].astype("str").where(~frame["area"].isin(hidden))


def _shown_channels(frame: pd.DataFrame, smallest: int) -> "pd.Series[str]":
    areas = _shown_areas(frame, smallest)
    shown = frame["channel"].astype("str").copy()
    for _area, inside in frame["channel"].groupby(areas, dropna=False):
        few = inside.isin(_few(inside, smallest))
        shown.loc[inside.index[few]] = None
    return shown


def _few(groups: "pd.Series[str]", smallest: int) -> list[int | str]:
    sizes = {group: int(size) for group, size in groups.value_counts(sort=False).items()}
    return [*groups_to_hide(sizes, [], smallest)]  # type: ignore[arg-type]


def _about(towns: Mapping[int, str], channels: Mapping[str, str]) -> Iterator[Variable]:
    for name, label, known in (
        ("area", "片区", {str(number): town for number, town in towns.items()}),
        ("channel", "调查方式", dict(channels)),
    ):
        values = tuple(
            Value(code, number, text) for number, (code, text) in enumerate(known.items(), 1)
        )
        yield Variable(name, name, label, VariableKind.CODE, values)


def _answers(frame: pd.DataFrame, questionnaire: Questionnaire) -> Iterator[Variable]:
    for question in questionnaire.questions:
        for column in _columns_of(frame, question):
            yield _variable(column, question)


def _columns_of(frame: pd.DataFrame, question: Question) -> Iterator[str]:
    beginnings = tuple(f"{question.id}{sign}" for sign in ":.?")
    for column in frame.columns:
        if column == question.id or column.startswith(beginnings):
            yield column


def _variable(column: str, question: Question) -> Variable:
    heading = f"{question.number}. {' '.join(question.text.split())}"
    rest = column.removeprefix(question.id)
    about = _about_option(heading, question, rest)
    if rest == "?" or rest.startswith(":"):
        return Variable(column, column, about, VariableKind.FLAG)
    match question.kind:
        case QuestionKind.RANKING:
            return Variable(column, column, f"{about}（名次）", VariableKind.RANK)
        case QuestionKind.MATRIX:
            part = next(part for part in question.parts if part.id == column)
            label = f"{heading}：{part.text}"
            return Variable(column, column, label, VariableKind.CODE, _values(part))
        case QuestionKind.NUMBER:
            unit = f"（{question.unit}）" if question.unit else ""
            return Variable(column, column, f"{heading}{unit}", VariableKind.NUMBER)
        case QuestionKind.DATE:
            return Variable(column, column, f"{heading}（年月）", VariableKind.MONTH)
        case _:
            return Variable(column, column, heading, VariableKind.CODE, _values(question))


def _about_option(heading: str, question: Question, rest: str) -> str:
    if rest == "?":
        return f"{heading}（是否问到）"
    texts = {one.code: one.text for one in question.options}
    return f"{heading}：{texts.get(rest[1:], '')}"


def _values(question: Question) -> tuple[Value, ...]:
    """Return what can be chosen with its number: points keep theirs, others count from 1."""
    has_points = question.points is not None or question.kind is QuestionKind.NPS

    def value(place: int, one: Option) -> Value:
        if has_points and one.code.isdecimal():
            return Value(one.code, int(one.code), one.text)
        is_unsure = has_points and one.kind is not OptionKind.ORDINARY
        return Value(one.code, place, one.text, is_unsure)

    points = sum(one.code.isdecimal() for one in question.choices) if has_points else 0
    first = _FIRST_UNSURE - points if has_points else 1
    return tuple(value(place, one) for place, one in enumerate(question.choices, first))


def _with_own_names(variables: Iterable[Variable]) -> tuple[Variable, ...]:
    """Give every variable a name that SPSS takes, none of them twice whatever its case."""
    taken: set[str] = set()
    named = []
    for each in variables:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", each.name.replace("?", "_asked"))
        if plain.upper() in _RESERVED or not plain[:1].isalpha():
            plain = f"v_{plain}"
        name, number = plain[:_LONGEST_NAME], 2
        while name.lower() in taken:
            ending = f"_{number}"
            name, number = plain[: _LONGEST_NAME - len(ending)] + ending, number + 1
        taken.add(name.lower())
        named.append(replace(each, name=name))
    return tuple(named)


def _column(variable: Variable, cells: "pd.Series[Any]") -> "pd.Series[Any]":
    match variable.kind:
        case VariableKind.CODE:
            return cells.astype(pd.CategoricalDtype([value.code for value in variable.values]))
        case VariableKind.FLAG:
            return cells.astype("boolean")
        case VariableKind.MONTH:
            return pd.to_datetime(cells).dt.strftime("%Y-%m")
        case _:
            return cells
