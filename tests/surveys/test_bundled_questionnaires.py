"""The bundled questionnaires, and what tells the printed one from the fielded one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from surveys import library
from surveys.library import bundled
from surveys.questionnaire import Questionnaire
from surveys.reading import QuestionnaireError, digest, dump_json, parse_json

PRINTED, FIELDED = "beian-2020-printed", "beian-2020-fielded"
MEASURES = (
    "awareness",
    "use",
    "needs_met",
    "convenience",
    "skill",
    "attitude",
    "satisfaction",
    "staff_improvement",
    "health_management_cost",
    "medical_cost",
    "health_consciousness",
    "health_improved",
    "channels",
)


@pytest.fixture(params=[PRINTED, FIELDED])
def questionnaire(request: pytest.FixtureRequest) -> Questionnaire:
    found = bundled()[request.param]
    assert found.id == request.param
    return found


def test_both_are_bundled() -> None:
    assert list(bundled()) == [FIELDED, PRINTED]


def test_twelve_questions_are_asked(questionnaire: Questionnaire) -> None:
    assert [question.id for question in questionnaire.questions] == [
        f"q{number}" for number in range(1, 13)
    ]


def test_only_the_channel_question_may_stay_blank(questionnaire: Questionnaire) -> None:
    assert [each.id for each in questionnaire.questions if not each.required] == ["q2"]


def test_the_measures_of_the_report_are_defined(questionnaire: Questionnaire) -> None:
    assert tuple(measure.id for measure in questionnaire.measures) == MEASURES


def test_every_source_is_named(questionnaire: Questionnaire) -> None:
    assert questionnaire.source.document == "beian-2020-three-evaluations.txt"
    assert questionnaire.source.place.startswith("附件2")


def test_printed_and_fielded_differ_in_one_option_of_two_questions() -> None:
    printed, fielded = bundled()[PRINTED], bundled()[FIELDED]
    added = {
        after.id: [option for option in after.options if option not in before.options]
        for before, after in zip(printed.questions, fielded.questions, strict=True)
        if before != after
    }
    assert {name: [option.text for option in options] for name, options in added.items()} == {
        "q9": ["费用增加"],
        "q10": ["费用增加"],
    }
    assert [measure.items for measure in printed.measures] == [
        measure.items for measure in fielded.measures
    ]
    assert printed.tables == fielded.tables


def test_only_question_8_offers_dont_know(questionnaire: Questionnaire) -> None:
    unsure = {
        measure.id: set(item.unsure)
        for measure in questionnaire.measures
        for item in measure.items
        if item.unsure
    }
    assert unsure == {"staff_improvement": {"unsure"}}


def test_a_snapshot_gives_the_questionnaire_back(questionnaire: Questionnaire) -> None:
    assert parse_json(dump_json(questionnaire), questionnaire.id) == questionnaire


def test_a_snapshot_does_not_depend_on_the_order_of_our_fields(
    questionnaire: Questionnaire,
) -> None:
    text = dump_json(questionnaire)
    canonical = json.dumps(
        json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    assert text == canonical


def test_a_snapshot_of_a_snapshot_is_the_same_text(questionnaire: Questionnaire) -> None:
    once = dump_json(questionnaire)
    assert dump_json(parse_json(once, "snapshot")) == once


def test_digests_stay_what_they_are(questionnaire: Questionnaire) -> None:
    """Published surveys are found by them: what the format gains must not change old snapshots."""
    assert (
        digest(questionnaire)
        == {
            FIELDED: "37006b5ed872a3dd81319ca127b36cf7bfba2b1324183f221c314d5f3e381b2e",
            PRINTED: "5d0fb4f36c6ab65b78ce2a18d10a7a7101bde62c536f77d5df9ac7f800abd313",
        }[questionnaire.id]
    )


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_digest_is_the_same_in_every_process(seed: str) -> None:
    """Sets change their order with PYTHONHASHSEED; what is stored for ever must not."""
    program = (
        "from surveys.library import bundled; from surveys.reading import digest;"
        "print(*map(digest, bundled().values()))"
    )
    printed = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert printed.split() == [digest(found) for found in bundled().values()]


def test_a_file_named_unlike_its_id_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (library.FOLDER / f"{PRINTED}.toml").read_text(encoding="utf-8")
    (tmp_path / "other.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    with pytest.raises(QuestionnaireError, match="须与文件名“other”相同"):
        bundled.__wrapped__()
