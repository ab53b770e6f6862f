"""Coded submissions and their rates in files that outlive this program: Parquet and exact JSON."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.designs import Design, Lonely, Sample
from analysis.display import GroupRate, Shown, rates_of
from analysis.rates import Group, Rate, describe
from surveys.questionnaire import Questionnaire

CLOSE = 1e-9
"""How far apart (relative) two floating figures may be that different processors computed."""

Figure = dict[str, Any]
_PACKAGES = ("analysis", "surveys")
_FLOATS = ("weighted", "low", "high")


@cache
def code_digest() -> str:
    """Return the SHA-256 over the source of all that turns answers into rates.

    Two installations with the same digest compute the same rates from the same submissions.
    """
    found = hashlib.sha256()
    root = Path(__file__).parents[1]
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            found.update(path.relative_to(root).as_posix().encode() + b"\0")
            found.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return found.hexdigest()


def write_parquet(frame: pd.DataFrame, facts: Mapping[str, str]) -> bytes:
    """Return a frame as a Parquet file that carries these facts in its metadata."""
    import pyarrow as pa  # noqa: PLC0415 - large, for few
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pa.Table.from_pandas(frame, preserve_index=False)
    own = {f"minping.{name}": text for name, text in facts.items()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **own})
    made = BytesIO()
    pq.write_table(table, made, compression="zstd")
    return made.getvalue()


def read_parquet(content: bytes) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the frame of `write_parquet` with its dtypes, and the facts.

    Raises `ValueError` when this is no Parquet file.
    """
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        raise ValueError("no Parquet file") from error
    own = {
        name.decode().removeprefix("minping."): text.decode()
        for name, text in (table.schema.metadata or {}).items()
        if name.startswith(b"minping.")
    }
    return table.to_pandas(), own


def design_facts(design: Design) -> dict[str, Any]:
    """Return a design as JSON can hold it."""
    return asdict(design)


def read_design(facts: Mapping[str, Any]) -> Design:
    """Return the design of `design_facts`. Raises `TypeError`, `KeyError` or `ValueError`."""
    return Design(
        **{
            **facts,
            "sample": Sample(facts["sample"]),
            "lonely": Lonely(facts["lonely"]),
            "clusters": tuple(facts["clusters"]),
            "sizes": tuple(facts["sizes"]),
        }
    )


def figures(
    questionnaire: Questionnaire,
    frame: pd.DataFrame,
    design: Design,
    areas: Sequence[Group],
    smallest: int,
) -> list[Figure]:
    """Return every rate of the questionnaire, overall and by area, exactly: fractions as text.

    What is withheld on pages is withheld here. `frame` holds the submissions that count.
    """
    shown = rates_of(frame, questionnaire, design, "area", areas, smallest=smallest)
    return [
        {
            "measure": each.measure.id,
            "definition": describe(each.measure, questionnaire),
            **figure,
        }
        for each in shown
        for figure in _figures_of(each)
    ]


def _figures_of(shown: Shown) -> Iterator[Figure]:
    if not shown.rates:
        yield {"status": shown.status.value}
    yield from (_figure(rate) for rate in shown.rates)
    for group in shown.groups:
        yield {"area": group.group, **_of_group(group)}


def _of_group(group: GroupRate) -> Figure:
    return {"status": group.status.value} if group.rate is None else _figure(group.rate)


def _figure(rate: Rate) -> Figure:
    interval = rate.interval
    return {
        "status": "shown",
        "option": rate.option,
        "numerator": rate.numerator,
        "credit": str(rate.credit),
        "base": rate.base,
        "value": str(rate.value),
        "left_out": {"blank": rate.left_out.blank, "unsure": rate.left_out.unsure},
        "weighted": rate.weighted,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "interval": rate.interval_note if interval is None else interval.method.value,
    }


def place_of(figure: Figure) -> tuple[str, str | None, Group | None]:
    """Return what a figure is about: measure, option and area, the last two where it has them."""
    return figure["measure"], figure.get("option"), figure.get("area")


def are_same(one: Figure, other: Figure) -> bool:
    """Compare two figures: exact counts exactly, floating ones as closely as processors agree."""
    if one.keys() != other.keys():
        return False
    return all(
        _are_close(one[name], other[name]) if name in _FLOATS else one[name] == other[name]
        for name in one
    )


def _are_close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= CLOSE * max(abs(one), abs(other), CLOSE)
