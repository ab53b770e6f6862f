"""Seals: what was sealed is found again, and whatever changes afterwards shows."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Keys
from app.db import reading, transaction
from app.models import (
    Area,
    AuditEntry,
    Review,
    ReviewReason,
    ReviewState,
    Seal,
    Staff,
    Submission,
    SubmissionState,
    SurveyState,
)
from app.services import bundles, publishing, sealing
from tests.app.test_answering_every_kind import open_every_kind, poster_of, send
from tests.conftest import (
    EVALUATOR,
    NOW,
    Command,
    Visitor,
    Zone,
    add_submissions,
    answers,
    change_survey,
)

SATISFIED, UNAWARE = answers(), answers(q1="unaware", q6="dissatisfied")
RUBRIC = "beian-2020-public-health"


@pytest.fixture
def address(here: Zone) -> str:
    return f"/desk/surveys/{here.survey}/seals"


@pytest.fixture
def closed(app: Flask, here: Zone, keys: Keys) -> int:
    """A closed survey with 27 submissions, 7 of them from the second town; return its id."""
    with app.app_context(), transaction() as session:
        for town, sheets in enumerate(([SATISFIED] * 17 + [UNAWARE] * 3, [UNAWARE] * 7)):
            add_submissions(session, here.survey, here.towns[town], sheets, keys)
        survey = publishing.find_survey(session, here.survey)
        publishing.move_survey(session, survey, SurveyState.CLOSED)
    return here.survey


def set_aside(app: Flask, survey: int, number: int) -> None:
    with app.app_context(), transaction() as session:
        query = select(Submission).where(Submission.survey_id == survey).order_by(Submission.digest)
        for submission in session.scalars(query.limit(number)):
            submission.state = SubmissionState.SET_ASIDE


def stored(app: Flask, survey: int) -> Sequence[Seal]:
    with app.app_context(), reading() as session:
        query = select(Seal).where(Seal.survey_id == survey).order_by(Seal.revision)
        return session.scalars(query).all()


def export(flask: Command, survey: int, path: Path) -> bytes:
    flask("seal", "export", survey, path)
    return path.read_bytes()


def rewritten(content: bytes, parts: Mapping[str, bytes], **changes: object) -> bytes:
    """Make a whole new bundle, as a person would who knows the format."""
    bundle = bundles.read_bundle(content)
    manifest = {name: value for name, value in bundle.manifest.items() if name != "parts"}
    return bundles.write_bundle({**manifest, **changes}, {**bundle.parts, **parts})[0]


def test_an_open_survey_is_provisional_and_cannot_be_sealed(
    evaluator: Visitor, here: Zone, address: str
) -> None:
    page = evaluator.get(f"/desk/surveys/{here.survey}/rates")
    assert "临时数据" in page.text
    page = evaluator.get(address)
    assert "调查结束以后才能封存。" in page.text
    assert not page.html.all("form", action=address)


def test_a_closed_survey_is_sealed_once(
    app: Flask, evaluator: Visitor, closed: int, address: str
) -> None:
    fields = evaluator.get(address).fields(address)
    evaluator.post(address, fields)
    (seal,) = stored(app, closed)
    page = evaluator.get(address)
    assert seal.digest in page.text
    assert "答卷 27 份，计入 27 份。" in page.text
    assert (
        "封存以后没有改动" in evaluator.post(address, {**fields, "reason": "再来"}, status=400).text
    )
    assert len(stored(app, closed)) == 1


def test_what_is_handed_out_cites_the_seal(
    app: Flask, evaluator: Visitor, flask: Command, closed: int, address: str
) -> None:
    survey = f"/desk/surveys/{closed}"
    for page in ("rates", "tables", f"scores/{RUBRIC}"):
        assert "临时数据" in evaluator.get(f"{survey}/{page}").text
    assert json.loads(flask("rates", closed, "--json").output)["provisional"] is True
    assert "临时数据" in evaluator.get(f"{survey}/rates.csv").response.get_data(as_text=True)
    evaluator.fill(address, action=address)
    (seal,) = stored(app, closed)
    for page in ("rates", "tables", f"scores/{RUBRIC}"):
        shown = evaluator.get(f"{survey}/{page}").text
        assert seal.digest in shown
        assert "临时数据" not in shown
    printed = json.loads(flask("rates", closed, "--json").output)
    assert (printed["seal"], printed["provisional"]) == (seal.digest, False)
    assert seal.digest in flask("rates", closed).output
    feed = json.loads(evaluator.get(f"{survey}/scores/{RUBRIC}/feed.json").body)
    rates = feed["measurements"]
    assert rates
    assert {rate["seal"] for rate in rates} == {seal.digest}


def test_a_correction_is_a_new_revision_with_what_it_changed(
    app: Flask, evaluator: Visitor, closed: int, address: str
) -> None:
    evaluator.fill(address, action=address)
    set_aside(app, closed, 2)
    assert "封存第 1 版以后有改动" in evaluator.get(f"/desk/surveys/{closed}/rates").text
    page = evaluator.fill(address, action=address, reason=" ", status=422)
    assert "更正要写明理由。" in page.text
    evaluator.fill(address, action=address, reason="两份重复")
    first, second = stored(app, closed)
    assert second.manifest["replaces"] == first.digest
    assert (second.manifest["submissions"], second.manifest["counted"]) == (27, 25)
    page = evaluator.get(address)
    assert "两份重复" in page.text
    assert page.html.all("caption")[0].text == "与上一版不同的比率"
    assert first.digest in page.text
    changed = {each["after"]["measure"] for each in second.manifest["changes"]}
    assert changed
    before = json.loads(bundles.read_bundle(_bundle(app, first)).parts["rates.json"])
    assert {each["measure"] for each in before} >= changed


def _bundle(app: Flask, seal: Seal) -> bytes:
    with app.app_context(), reading() as session:
        query = select(Seal.bundle).where(Seal.digest == seal.digest)
        return session.scalars(query).one()


def test_a_bundle_is_verified_without_a_database(
    flask: Command, closed: int, tmp_path: Path, evaluator: Visitor, address: str
) -> None:
    assert flask("seal", "list", closed).output == ""
    digest = flask("seal", "make", closed).output.split()[1]
    content = export(flask, closed, tmp_path / "seal.zip")
    assert evaluator.get(f"{address}/1.zip").response.get_data() == content
    printed = flask("seal", "verify", tmp_path / "seal.zip", "--expect", digest).output
    assert "核对无误" in printed
    assert digest in printed
    refused = flask("seal", "verify", tmp_path / "seal.zip", "--expect", "0" * 64, status=1)
    assert "与报告引用的不同" in refused.stderr
    flask("seal", "verify", tmp_path / "seal.zip", "--expect", "12", status=2)
    (tmp_path / "other.zip").write_bytes(b"no archive")
    assert "不是封存文件" in flask("seal", "verify", tmp_path / "other.zip", status=1).stderr


def test_the_rates_follow_from_the_sealed_submissions(
    flask: Command, closed: int, tmp_path: Path
) -> None:
    flask("seal", "make", closed)
    content = export(flask, closed, tmp_path / "seal.zip")
    rates = json.loads(bundles.read_bundle(content).parts["rates.json"])
    printed = json.loads(flask("rates", closed, "--json").output)["measures"]
    shown = {
        (measure["measure"], rate["option"]): (rate["numerator"], rate["base"], rate["value"])
        for measure in printed
        for rate in measure["rates"]
    }
    sealed = {
        (each["measure"], each["option"]): (each["numerator"], each["base"], each["value"])
        for each in rates
        if each["status"] == "shown" and "area" not in each
    }
    assert sealed == shown
    assert any("area" in each and each["status"] == "shown" for each in rates)


def test_weights_and_reviews_are_sealed_too(
    app: Flask, evaluator: Visitor, flask: Command, here: Zone, closed: int, tmp_path: Path
) -> None:
    with app.app_context(), transaction() as session:
        for town, people in zip(here.towns, (8000, 1500, 500), strict=True):
            session.get_one(Area, town).population = people
    design = f"/desk/surveys/{closed}/design"
    evaluator.fill(design, action=design, kind="stratified", reason="上次忘了填")
    flask("seal", "make", closed)
    content = export(flask, closed, tmp_path / "first.zip")
    assert sealing.verify(content)[1] == []
    rates = json.loads(bundles.read_bundle(content).parts["rates.json"])
    whole = [each for each in rates if each["status"] == "shown" and "area" not in each]
    assert {each["interval"] for each in whole} == {"korn_graubard"}
    with app.app_context(), transaction() as session:
        query = select(Submission.key).where(Submission.survey_id == closed).limit(1)
        key = session.scalars(query).one()
        staff = session.scalars(select(Staff).where(Staff.name == EVALUATOR)).one()
        said = {"state": ReviewState.SET_ASIDE, "reason": ReviewReason.TEST, "words": ""}
        session.add(Review(submission_key=key, number=1, staff_id=staff.id, at=NOW, **said))
    assert "封存第 1 版以后有改动" in evaluator.get(f"/desk/surveys/{closed}/rates").text
    flask("seal", "make", closed, "--reason", "试填的一份")
    content = export(flask, closed, tmp_path / "second.zip")
    assert sealing.verify(content)[1] == []
    frame = pd.read_parquet(io.BytesIO(bundles.read_bundle(content).parts["submissions.parquet"]))
    (aside,) = frame[~frame["counts"]].itertuples()
    assert (aside.review, aside.review_reason) == ("set_aside", "test")
    evaluator.fill(design, action=design, kind="simple", reason="另一种")
    assert "封存第 2 版以后有改动" in evaluator.get(f"/desk/surveys/{closed}/rates").text


def test_whoever_makes_a_new_bundle_is_found_out_by_what_contradicts_itself(
    flask: Command, closed: int, tmp_path: Path
) -> None:
    digest = flask("seal", "make", closed).output.split()[1]
    content = export(flask, closed, tmp_path / "seal.zip")
    rates = json.loads(bundles.read_bundle(content).parts["rates.json"])
    rates[0]["numerator"] += 1
    forged = rewritten(content, {"rates.json": bundles.to_json(rates)})
    bundle, differences = sealing.verify(forged)
    (difference,) = differences
    assert difference.place.startswith(f"rates.json {rates[0]['measure']}")
    assert difference.place.endswith("(numerator)")
    assert bundle.digest != digest
    leaves = bundles.read_bundle(content).parts["leaves.txt"].splitlines()
    fewer = rewritten(content, {"leaves.txt": b"\n".join(leaves[1:]) + b"\n"})
    assert {each.place for each in sealing.verify(fewer)[1]} == {
        "leaves.txt",
        "submissions.parquet",
    }
    assert sealing.verify(rewritten(content, {"submissions.parquet": b"none"}))[1]
    assert sealing.verify(rewritten(content, {}, counted=3))[1]


def test_a_bundle_tells_nobody_apart(
    app: Flask, flask: Command, closed: int, tmp_path: Path
) -> None:
    """Neither keys nor receipts, batches, hours or the order of arrival are in it."""
    flask("seal", "make", closed)
    content = export(flask, closed, tmp_path / "seal.zip")
    with app.app_context(), reading() as session:
        rows = session.scalars(select(Submission).where(Submission.survey_id == closed)).all()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        frame = pd.read_parquet(io.BytesIO(archive.read("submissions.parquet")))
        leaves = archive.read("leaves.txt").split()
    shown = content + frame.to_csv().encode()
    for row in rows:
        for secret in (str(row.key), row.key.hex, row.receipt, row.digest):
            assert secret.encode() not in shown
    told = {"key", "batch", "channel", "received_hour", "duration_seconds", "interviewer"}
    assert not told & set(frame.columns)
    by_content = frame.sort_values(list(frame.columns), ignore_index=True)
    pd.testing.assert_frame_equal(frame, by_content)
    assert leaves == sorted(leaves)


def test_a_receipt_proves_that_its_answers_are_sealed(
    app: Flask, visitor: Visitor, flask: Command, here: Zone, tmp_path: Path
) -> None:
    receipt = visitor.submit(f"/s/{here.codes[0]}").response.headers["Location"]
    assert "封存" not in visitor.get(receipt).text
    visitor.get(f"{receipt}/proof.json", status=404)
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    flask("seal", "make", here.survey)
    export(flask, here.survey, tmp_path / "seal.zip")
    page = visitor.get(receipt)
    assert "这次调查已经封存，可以证明您的答卷在其中" in page.text
    proof = visitor.get(f"{receipt}/proof.json")
    (tmp_path / "proof.json").write_bytes(proof.response.get_data())
    verify = ("seal", "verify", tmp_path / "seal.zip", "--receipt", tmp_path / "proof.json")
    assert "核对无误" in flask(*verify).output
    forged = {**json.loads(proof.body), "leaf": "0" * 64}
    (tmp_path / "proof.json").write_text(json.dumps(forged))
    assert "这份回执不在本次封存之内。" in flask(*verify, status=1).stderr
    (tmp_path / "proof.json").write_text("[]")
    flask(*verify, status=2)
    set_aside(app, here.survey, 1)
    assert "这次调查已经封存" not in visitor.get(receipt).text


def test_changed_answers_are_found_and_not_sealed(
    app: Flask, evaluator: Visitor, flask: Command, closed: int, address: str
) -> None:
    flask("seal", "make", closed)
    assert "与封存第 1 版相同。" in flask("seal", "check", closed).output
    set_aside(app, closed, 1)
    assert "封存的答卷有 1 份已改动" in flask("seal", "check", closed, status=1).stderr
    with app.app_context(), transaction() as session:
        query = select(Submission).where(Submission.survey_id == closed).limit(1)
        submission = session.scalars(query).one()
        submission.answers = {**submission.answers, "q1": "unaware", "q12": "not_improved"}
    assert "有 1 份答卷与收到时的摘要不符" in flask("seal", "check", closed, status=1).stderr
    page = evaluator.fill(address, action=address, reason="更正", status=400)
    assert "有 1 份答卷与收到时的摘要不符" in page.text


def test_sealing_is_on_record_and_names_the_head_before_it(
    app: Flask, evaluator: Visitor, flask: Command, closed: int, address: str
) -> None:
    head = flask("audit", "head").output.strip()
    evaluator.fill(address, action=address)
    evaluator.get(f"{address}/1.zip")
    (seal,) = stored(app, closed)
    assert seal.manifest["audit_head"] == head
    with app.app_context(), reading() as session:
        query = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(2)
        exported, sealed = session.scalars(query).all()
    assert (sealed.action, exported.action) == ("survey_sealed", "seal_exported")
    assert sealed.after is not None
    assert sealed.after["seal"] == seal.digest
    assert "记录完整" in flask("audit", "verify").output


def test_nobody_seals_what_is_not_theirs(
    outsider: Visitor,
    fieldworker: Visitor,
    auditor: Visitor,
    evaluator: Visitor,
    flask: Command,
    closed: int,
    address: str,
) -> None:
    flask("seal", "make", closed)
    outsider.get(address, status=404)
    outsider.get(f"{address}/1.zip", status=404)
    fieldworker.get(address, status=403)
    page = auditor.get(address)
    assert not page.html.all("form", action=address)
    auditor.get(f"{address}/1.zip", status=403)  # single answer sheets are in it
    evaluator.get(f"{address}/2.zip", status=404)


def test_nothing_to_seal_is_said_so(flask: Command, app: Flask, here: Zone) -> None:
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    assert "没有可以封存的内容" in flask("seal", "make", here.survey, status=2).stderr
    flask("seal", "check", here.survey, status=2)


def test_a_bundle_holds_months_and_no_days(
    app: Flask, here: Zone, visitor: Visitor, flask: Command, tmp_path: Path
) -> None:
    """A day of birth is nearly a name; no rate is made from it."""
    survey = open_every_kind(app, here)
    for day in ("2026-05-17", "2026-05-30"):
        send(visitor, poster_of(app, survey), last=day)
    change_survey(app, survey, state=SurveyState.CLOSED)
    flask("seal", "make", survey)
    bundle = bundles.read_bundle(export(flask, survey, tmp_path / "seal.zip"))
    frame = pd.read_parquet(io.BytesIO(bundle.parts[sealing.SUBMISSIONS]))
    assert {str(day) for day in frame["last"]} == {"2026-05-01 00:00:00"}
    flask("seal", "verify", tmp_path / "seal.zip")
