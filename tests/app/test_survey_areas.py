"""A survey keeps the areas of its opening: what is changed later moves nothing in it."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Keys
from app.db import reading, transaction
from app.models import Area, AuditEntry, Batch, Channel, Poster, Staff, SurveyState
from app.services import publishing, survey_areas, targets
from surveys.library import bundled
from tests.app.test_area_import import HEAD, ROOT, confirm, upload
from tests.conftest import (
    FIELDWORKER,
    QUESTIONNAIRE,
    Visitor,
    Zone,
    add_submissions,
    answers,
    change_survey,
    issue_batch,
    plan,
    snapshot,
)

Change = Callable[..., object]


@pytest.fixture
def village(app: Flask, here: Zone, administrator: Visitor, keys: Keys) -> int:
    """A village of the first town, in the survey, with answers, a batch and a target."""
    confirm(administrator, upload(administrator, HEAD + "忠门镇,笏石村,900,沿海\n"))
    with app.app_context(), transaction() as session:
        found = session.scalars(select(Area).where(Area.name == "笏石村")).one()
        survey = publishing.find_survey(session, here.survey)
        survey_areas.take_in(session, survey)
        issue_batch(session, survey, found, 4, "笏石村委会", keys)
        targets.set_target(session, survey, found, Channel.PAPER, 30)
        for town in here.towns[:2]:
            place = session.get_one(Area, town)
            targets.set_target(session, survey, place, Channel.PAPER, 40)
            add_submissions(session, survey.id, town, [answers(q6="dissatisfied")] * 6, keys)
        add_submissions(session, survey.id, found.id, [answers()] * 7, keys)
    return found.id


def edit(visitor: Visitor, area: int, what: str = "", **changes: str) -> None:
    page = f"/desk/areas/{area}"
    fields = visitor.get(page).fields(page + what)
    visitor.post(page + what, {**fields, **changes})


def shown(visitor: Visitor, zone: Zone) -> list[str]:
    """Return everything that a survey shows and hands out about its areas."""
    desk, field = f"/desk/surveys/{zone.survey}", f"/field/surveys/{zone.survey}"
    pages = [
        desk,
        f"{desk}/rates",
        f"{desk}/tables",
        f"{desk}/cards",
        f"{desk}/external",
        field,
        f"{field}/posters",
        f"/field/batches/{zone.batch}",
    ]
    files = [f"{desk}/rates.csv", f"{desk}/tables.csv"]
    return [
        *(visitor.get(path).text for path in pages),
        *(visitor.get(path).response.get_data(as_text=True) for path in files),
    ]


def test_later_changes_move_nothing(administrator: Visitor, here: Zone, village: int) -> None:
    before = shown(administrator, here)
    sheet = administrator.get(f"/field/batches/{here.batch}/serials.csv").response.get_data()
    edit(administrator, here.towns[0], name="改名镇", population="5", stratum="山区")
    edit(administrator, village, name="改名村", population="7")
    edit(administrator, village, "/move", parent=str(here.towns[1]))
    edit(administrator, here.area, name="改名区")
    confirm(administrator, upload(administrator, f"{HEAD}东埔镇,新村,,\n改名区,新镇,,\n"))
    assert shown(administrator, here) == before
    after = administrator.get(f"/field/batches/{here.batch}/serials.csv").response.get_data()
    assert after == sheet
    listed = administrator.get(f"/desk/surveys/{here.survey}/areas").text
    assert "笏石村 现在 改名为“改名村” 移到了别处 人口 7 900 沿海" in listed
    assert "开放以后新增的片区有 2 个，还不在名录里：新村、新镇" in listed


def test_the_answers_of_a_moved_village_stay_in_their_town(
    administrator: Visitor, here: Zone, village: int
) -> None:
    edit(administrator, village, "/move", parent=str(here.towns[1]))
    rates = administrator.get(f"/desk/surveys/{here.survey}/rates").html.rows()
    assert rates["忠门镇"][1] == "13"
    progress = administrator.get(f"/field/surveys/{here.survey}").text
    assert "忠门镇 · 纸质：今天 13 / " in progress
    assert "东埔镇 · 纸质：今天 6 / " in progress


def test_what_lies_outside_by_now_stays_with_its_survey(
    app: Flask, administrator: Visitor, village: int, here: Zone, keys: Keys
) -> None:
    """A survey of one town, from which a village went to another town."""
    with app.app_context(), transaction() as session:
        town = session.get_one(Area, here.towns[0])
        survey = publishing.make_survey(session, bundled()[QUESTIONNAIRE], town, plan("镇里的"))
        publishing.move_survey(session, survey, SurveyState.OPEN)
        place = session.get_one(Area, village)
        batch = issue_batch(session, survey, place, 2, "村委会", keys)
        # The town's evaluator holds the survey; the village's fieldworker looks after its cards.
        staff = {each.name: each for each in session.scalars(select(Staff))}
        staff["zhang"].area_id = town.id
        staff[FIELDWORKER].area_id = village
    edit(administrator, village, "/move", parent=str(here.towns[1]))
    town_zone = Zone(here.towns[0], (), survey.id, batch.id, (), "", 0)
    assert "笏石村" in administrator.get(f"/field/surveys/{survey.id}").text
    assert administrator.get(f"/field/batches/{batch.id}").text.startswith("返回")
    assert shown(administrator, town_zone)


def test_those_in_charge_today_see_the_cards(
    app: Flask, administrator: Visitor, fieldworker: Visitor, here: Zone, village: int
) -> None:
    with app.app_context(), reading() as session:
        batch = session.scalars(select(Batch.id).where(Batch.area_id == village)).one()
    path, survey = f"/field/batches/{batch}", f"/field/surveys/{here.survey}"
    fieldworker.get(path)
    assert "笏石村委会" in fieldworker.get(survey).text
    edit(administrator, village, "/move", parent=str(here.towns[1]))
    fieldworker.get(path, status=404)
    assert "笏石村委会" not in fieldworker.get(survey).text
    with app.app_context(), transaction() as session:
        query = select(Staff).where(Staff.name == FIELDWORKER)
        session.scalars(query).one().area_id = here.towns[1]
    fieldworker.get(path)
    assert "笏石村委会" in fieldworker.get(survey).text


def test_whoever_went_away_with_a_village_still_reaches_its_survey(
    app: Flask, administrator: Visitor, fieldworker: Visitor, here: Zone, village: int
) -> None:
    with app.app_context(), transaction() as session:
        survey = publishing.find_survey(session, here.survey)
        survey.area_id = here.towns[0]
        session.scalars(select(Staff).where(Staff.name == FIELDWORKER)).one().area_id = village
    edit(administrator, village, "/move", parent=str(here.towns[1]))
    assert "笏石村委会" in fieldworker.get(f"/field/surveys/{here.survey}").text


# ---------------------------------------------------------------------------------------------
# In draft, at the opening, and new areas afterwards
# ---------------------------------------------------------------------------------------------


def test_a_draft_reads_the_tree_of_today_and_opening_keeps_it(
    app: Flask, administrator: Visitor, evaluator: Visitor, here: Zone
) -> None:
    with app.app_context(), transaction() as session:
        root = session.get_one(Area, here.area)
        survey = publishing.make_survey(session, bundled()[QUESTIONNAIRE], root, plan("草稿"))
    page, state = f"/desk/surveys/{survey.id}/areas", f"/desk/surveys/{survey.id}/state"
    confirm(administrator, upload(administrator, f"{HEAD}{ROOT},新镇,10,\n"))
    edit(administrator, here.towns[2], name="新山亭")
    assert "新山亭" in evaluator.get(page).text
    assert "新镇" in evaluator.get(page).text
    evaluator.fill(f"/desk/surveys/{survey.id}", action=state, to="open")
    edit(administrator, here.towns[2], name="又改名")
    assert "新山亭 现在 改名为“又改名” — —" in evaluator.get(page).text
    # The town that came while it was a draft has its poster.
    assert "新镇" in evaluator.get(f"/field/surveys/{survey.id}/posters").text


def test_closed_areas_are_left_out_at_the_opening(
    app: Flask, administrator: Visitor, evaluator: Visitor, here: Zone
) -> None:
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    with app.app_context(), transaction() as session:
        root = session.get_one(Area, here.area)
        survey = publishing.make_survey(session, bundled()[QUESTIONNAIRE], root, plan("草稿"))
    edit(administrator, here.towns[2], "/close")
    page, state = f"/desk/surveys/{survey.id}/areas", f"/desk/surveys/{survey.id}/state"
    assert "山亭镇" not in evaluator.get(page).text
    evaluator.fill(f"/desk/surveys/{survey.id}", action=state, to="open")
    assert "山亭镇" not in evaluator.get(page).text
    assert "山亭镇 现在 已停用 — —" in evaluator.get(f"/desk/surveys/{here.survey}/areas").text


def test_new_areas_are_taken_in_by_an_act(
    app: Flask, administrator: Visitor, evaluator: Visitor, here: Zone
) -> None:
    page = f"/desk/surveys/{here.survey}/areas"
    confirm(administrator, upload(administrator, f"{HEAD}{ROOT},新镇,10,\n新镇,新村,3,\n"))
    edit(administrator, here.towns[0], name="改名镇")
    moved = evaluator.fill(page, action=page)
    text = evaluator.get(moved.location).text
    assert "已加入 2 个片区" in text
    assert "新村 3" in text
    assert "忠门镇 现在 改名为“改名镇” — —" in text
    with app.app_context(), reading() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc())).first()
        town = session.scalars(select(Area.id).where(Area.name == "新镇")).one()
        mine = Poster.survey_id == here.survey, Poster.area_id == town
        assert len(session.scalars(select(Poster).where(*mine)).all()) == 1
    assert entry is not None
    assert (entry.action, entry.after) == ("areas_taken_in", {"added": 2, "area": "新镇、新村"})
    evaluator.fill(
        f"/desk/surveys/{here.survey}/cards", area=str(town), number="5", channel="scanned"
    )
    known = snapshot(app)
    again = evaluator.post(page, evaluator.get(page).fields("/staff/sign-out"), status=400)
    assert "没有新的片区" in again.text
    assert snapshot(app) == known


def test_a_survey_that_ended_takes_in_nothing(
    app: Flask, administrator: Visitor, evaluator: Visitor, here: Zone
) -> None:
    confirm(administrator, upload(administrator, f"{HEAD}{ROOT},新镇,10,\n"))
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    page, before = f"/desk/surveys/{here.survey}/areas", snapshot(app)
    shown = evaluator.get(page)
    assert not shown.html.all("form", action=page)
    refused = evaluator.post(page, shown.fields("/staff/sign-out"), status=400)
    assert "结束以前才能更新片区名录" in refused.text
    assert snapshot(app) == before


def test_an_auditor_reads_the_areas_and_takes_in_none(
    app: Flask, administrator: Visitor, auditor: Visitor, outsider: Visitor, here: Zone
) -> None:
    confirm(administrator, upload(administrator, f"{HEAD}{ROOT},新镇,10,\n"))
    page, before = f"/desk/surveys/{here.survey}/areas", snapshot(app)
    shown = auditor.get(page)
    assert "新镇" in shown.text
    assert not shown.html.all("form", action=page)
    auditor.post(page, shown.fields("/staff/sign-out"), status=403)
    outsider.get(page, status=404)
    assert snapshot(app) == before
