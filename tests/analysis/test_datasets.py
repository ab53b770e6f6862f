"""Datasets to hand out: every kind of question coded, labels within SPSS's limits, nobody told."""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pyreadstat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.datasets import Dataset, VariableKind, make_dataset
from analysis.frames import SubmissionRow, build_frame
from analysis.statistics_files import parquet, sav, shortened
from surveys.questionnaire import Questionnaire
from surveys.reading import load

EVERY_KIND = load(Path(__file__).parents[1] / "surveys/every_kind.toml")
TOWNS = {1: "忠门镇", 2: "东埔镇", 3: "山亭镇"}
CHANNELS = {"paper": "纸质", "scanned": "扫码", "telephoned": "电话"}


def dataset(questionnaire: Questionnaire, *people: tuple[int, str, dict[str, Any]]) -> Dataset:
    rows = (
        SubmissionRow(f"k{number}", area, channel, 7, given)
        for number, (area, channel, given) in enumerate(people)
    )
    return make_dataset(build_frame(questionnaire, rows), questionnaire, TOWNS, CHANNELS)


def read_sav(content: bytes, folder: Path) -> tuple[pd.DataFrame, Any]:
    path = folder / "read.sav"
    path.write_bytes(content)
    return pyreadstat.read_sav(path, user_missing=True)


def test_every_kind_of_question_has_its_columns() -> None:
    made = dataset(EVERY_KIND, *[(1, "paper", {})] * 5)
    kinds = {each.kind for each in made.variables}
    assert kinds == set(VariableKind)
    names = [each.name for each in made.variables]
    assert not {"key", "batch"} & set(names)
    assert list(made.frame.columns) == names


def test_labels_are_cut_where_spss_ends_and_one_can_see_it() -> None:
    assert shortened("长" * 85, 255) == "长" * 85
    assert shortened("长" * 86, 255) == "长" * 84 + "…"
    assert len(shortened("a长" * 99, 120).encode()) <= 120
    assert shortened("长" * 40, 120) == "长" * 40


def test_spss_reads_numbers_labels_and_missing_values(tmp_path: Path) -> None:
    made = dataset(EVERY_KIND, *[(1, "paper", {})] * 5)
    frame, meta = read_sav(sav(made, "标题" * 40, {"digest": "abc"}), tmp_path)
    assert list(frame.columns) == [each.name for each in made.variables]
    assert len(frame) == 5
    for each in made.variables:
        label = meta.column_names_to_labels[each.name]
        assert each.label.startswith(label.removesuffix("…"))
        known = meta.variable_value_labels.get(each.name, {})
        assert {value.number for value in each.values} <= set(known) or each.values == ()
        unsure = [value.number for value in each.values if value.is_unsure]
        found = [ends["lo"] for ends in meta.missing_ranges.get(each.name, [])]
        assert found == unsure
    assert any(value.is_unsure for each in made.variables for value in each.values)


def test_parquet_keeps_codes_labels_and_facts() -> None:
    made = dataset(EVERY_KIND, *[(2, "scanned", {})] * 6)
    table = pq.read_table(io.BytesIO(parquet(made, {"questionnaire_digest": "abc"})))
    assert table.schema.metadata[b"questionnaire_digest"] == b"abc"
    assert table.column("area").to_pylist() == ["2"] * 6
    values = json.loads(table.schema.field("channel").metadata[b"values"])
    assert values == CHANNELS


def test_few_people_are_not_handed_out() -> None:
    with pytest.raises(ValueError, match="fewer than 5"):
        dataset(EVERY_KIND, *[(1, "paper", {})] * 4)


_people: st.SearchStrategy[list[tuple[int, str, dict[str, Any]]]] = st.lists(
    st.tuples(st.sampled_from([*TOWNS]), st.sampled_from([*CHANNELS]), st.just({})),
    min_size=5,
    max_size=60,
)


@given(_people)
def test_area_and_channel_never_stand_beside_fewer_than_five(
    people: list[tuple[int, str, dict[str, Any]]],
) -> None:
    frame = dataset(EVERY_KIND, *people).frame
    pairs = Counter(
        (str(area), str(channel))
        for area, channel in zip(frame["area"], frame["channel"], strict=True)
    )
    assert min(pairs.values()) >= 5
    assert sum(pairs.values()) == len(people)


@given(st.permutations([(1, "paper", {"q": n}) for n in range(6)]))
def test_the_order_of_arrival_leaves_no_trace(
    people: list[tuple[int, str, dict[str, int]]],
) -> None:
    question = next(
        part
        for asked in EVERY_KIND.questions
        for part in asked.parts
        if part.is_chosen_once and len(part.codes) > 1
    )
    coded: list[tuple[int, str, dict[str, Any]]] = [
        (area, way, {question.id: question.codes[given["q"] % 2]}) for area, way, given in people
    ]
    made = dataset(EVERY_KIND, *coded)
    again = dataset(EVERY_KIND, *sorted(coded, key=str))
    pd.testing.assert_frame_equal(made.frame, again.frame)
