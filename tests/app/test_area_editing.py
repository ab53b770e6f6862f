"""Areas on the screen: changed, moved, extended and closed within one's own branch, on record."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Area, AuditEntry, Staff, SurveyState
from tests.app.test_area_import import HEAD, ROOT, confirm, tree, upload
from tests.conftest import NewVisitor, Visitor, Zone, change_survey, snapshot

PAGE = "/desk/areas/{}"


def acts(app: Flask) -> list[tuple[str, object, object]]:
    with app.app_context(), reading() as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
        return [(each.action, each.before, each.after) for each in found]


def area_named(app: Flask, name: str) -> int:
    with app.app_context(), reading() as session:
        return session.scalars(select(Area.id).where(Area.name == name)).one()


def fill(visitor: Visitor, area: int, what: str = "", *, status: int = 303, **changes: str) -> str:
    """Send one of the forms on an area's page, and return what the answer says."""
    page = PAGE.format(area)
    sent = visitor.fill(page, action=page + what, status=status, **changes)
    return sent.text if status != 303 else visitor.get(sent.location).text


def end_surveys(app: Flask, zone: Zone) -> None:
    change_survey(app, zone.survey, state=SurveyState.CLOSED)


def test_an_area_is_renamed_and_counted(app: Flask, administrator: Visitor, here: Zone) -> None:
    town = here.towns[0]
    said = fill(administrator, town, name="  忠门 新镇 ", population="12,000", stratum="沿海")
    assert "已保存" in said
    assert tree(app, here.area)[f"{ROOT}/忠门 新镇"] == (12000, "沿海")
    fill(administrator, town, population="")
    assert tree(app, here.area)[f"{ROOT}/忠门 新镇"] == (None, "沿海")
    assert acts(app) == [
        (
            "area_changed",
            {"title": "忠门镇", "population": None, "stratum": None},
            {"title": "忠门 新镇", "population": 12000, "stratum": "沿海"},
        ),
        ("area_changed", {"population": 12000}, {"population": None}),
    ]
    assert "修改片区" in administrator.get("/desk/audit").text


def test_saving_what_is_there_is_no_act(app: Flask, administrator: Visitor, here: Zone) -> None:
    fill(administrator, here.towns[0])
    assert acts(app) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": " "}, "请填写片区名称"),
        ({"name": "东埔镇"}, "已经有同名的片区"),
        ({"name": "甲/乙"}, "名称里不能有“/”"),
        ({"name": "镇" * 101}, "太长，最多 100 个字"),
        ({"population": "很多"}, "要填整数"),
        ({"population": "2000000001"}, "要填整数"),
        ({"population": "0" * 12 + "9" * 12}, "要填整数"),
        ({"stratum": "层" * 51}, "太长，最多 50 个字"),
        ({"name": "甲\0乙"}, "控制字符"),
    ],
)
def test_what_cannot_be_stored_is_said_beside_its_field(
    changes: dict[str, str], sentence: str, app: Flask, administrator: Visitor, here: Zone
) -> None:
    page, before = PAGE.format(here.towns[0]), snapshot(app)
    fields = administrator.get(page).fields(page)
    shown = administrator.post(page, {**fields, **changes}, status=422)
    assert sentence in shown.errors
    sent = {"name": "新村", **changes}
    if changes != {"name": "东埔镇"}:  # a town of that name may lie in another
        shown = administrator.post(f"{page}/add", {**fields, **sent}, status=422)
        assert sentence in shown.errors
    assert snapshot(app) == before


def test_faults_are_shown_together_and_nothing_is_lost(administrator: Visitor, here: Zone) -> None:
    page = PAGE.format(here.towns[0])
    fields = administrator.get(page).fields(page)
    typed = {"name": "", "population": "多", "stratum": "山"}
    shown = administrator.post(page, {**fields, **typed}, status=422)
    assert "请填写片区名称" in shown.errors
    assert "要填整数" in shown.errors
    assert shown.fields(page)["stratum"] == ["山"]


def test_an_area_is_added_below(app: Flask, administrator: Visitor, here: Zone) -> None:
    page = f"{PAGE.format(here.towns[0])}/add"
    assert (
        "已添加"
        in administrator.get(
            administrator.fill(page, name="笏石村", population="１２００").location
        ).text
    )
    assert tree(app, here.area)[f"{ROOT}/忠门镇/笏石村"] == (1200, None)
    assert acts(app) == [("area_added", None, {"title": "笏石村", "population": 1200})]
    again = administrator.fill(page, status=422, name=" 笏石村")
    assert "已经有同名的片区" in again.errors


def test_an_area_moves_with_all_below(app: Flask, administrator: Visitor, here: Zone) -> None:
    confirm(administrator, upload(administrator, HEAD + "忠门镇,笏石村,9,\n笏石村,一组,3,\n"))
    village, group = area_named(app, "笏石村"), area_named(app, "一组")
    said = fill(administrator, village, "/move", parent=str(here.towns[1]))
    assert "已移到新的上级片区下面" in said
    assert tree(app, here.area)[f"{ROOT}/东埔镇/笏石村/一组"] == (3, None)
    assert acts(app)[-1] == (
        "area_moved",
        {"parent": f"{here.towns[0]} 忠门镇"},
        {"parent": f"{here.towns[1]} 东埔镇"},
    )
    with app.app_context(), reading() as session:
        path = session.get_one(Area, group).path
    assert path == f"{here.area}/{here.towns[1]}/{village}/{group}/"


def test_where_an_area_cannot_go(app: Flask, administrator: Visitor, here: Zone) -> None:
    deep = [f"{n}级" for n in range(3, 9)]
    rows = "".join(
        f"{above},{name},,\n" for above, name in zip(["忠门镇", *deep], deep, strict=False)
    )
    confirm(administrator, upload(administrator, f"{HEAD}{rows}东埔镇,甲村,,\n忠门镇,甲村,,\n"))
    before = snapshot(app)
    last, first = area_named(app, "8级"), area_named(app, "3级")
    page = PAGE.format(here.towns[1])
    for parent, sentence in [(last, "层级太多"), (here.area, "已经在这个上级片区下面")]:
        shown = administrator.fill(page, action=f"{page}/move", status=422, parent=str(parent))
        assert sentence in shown.errors
    page = PAGE.format(first)
    offered = administrator.get(page).html.all("select", name="parent")[0].all("option")
    values = {each.attributes["value"] for each in offered}
    assert str(here.towns[1]) in values
    assert not values & {str(first), str(last)}
    administrator.fill(page, action=f"{page}/move", status=422, parent=str(last))
    with app.app_context(), reading() as session:
        query = select(Area.id).where(Area.name == "甲村", Area.parent_id == here.towns[1])
        twin = session.scalars(query).one()
    page, town = PAGE.format(twin), str(here.towns[0])
    shown = administrator.fill(page, action=f"{page}/move", status=422, parent=town)
    assert "已经有同名的片区" in shown.errors
    assert snapshot(app) == before


def test_the_second_of_two_editors_sees_both_values(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    page = PAGE.format(here.towns[0])
    stale = administrator.get(page).fields(page)
    fill(administrator, here.towns[0], name="先改的镇", population="100")
    shown = administrator.post(page, {**stale, "name": "后改的镇"}, status=409)
    assert "刚才有人改过" in shown.text
    assert "现在存的是：先改的镇，人口 100" in shown.text
    assert shown.fields(page)["name"] == ["后改的镇"]
    assert f"{ROOT}/先改的镇" in tree(app, here.area)
    administrator.post(page, shown.fields(page))
    assert f"{ROOT}/后改的镇" in tree(app, here.area)


def test_a_move_of_what_was_changed_meanwhile_is_a_conflict(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    page = PAGE.format(here.towns[0])
    stale = administrator.get(page).fields(f"{page}/move")
    confirm(administrator, upload(administrator, f"{HEAD}{ROOT},忠门镇,77,\n"))
    sent = {**stale, "parent": str(here.towns[1])}
    shown = administrator.post(f"{page}/move", sent, status=409)
    assert "人口 77" in shown.text
    administrator.post(f"{page}/move", {**shown.fields(f"{page}/move"), "parent": sent["parent"]})
    assert f"{ROOT}/东埔镇/忠门镇" in tree(app, here.area)


def test_two_editors_at_the_same_moment(app: Flask, administrator: Visitor, here: Zone) -> None:
    page = PAGE.format(here.towns[0])
    fields = administrator.get(page).fields(page)
    token = administrator.client.get_cookie("staff")
    assert token is not None

    def send(turn: int) -> int:
        client = app.test_client()
        client.set_cookie("staff", token.value, secure=True)
        data = {**fields, "name": f"第 {turn} 个镇"}
        headers = {"Referer": "https://localhost/"}
        return client.post(f"https://localhost{page}", data=data, headers=headers).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(4))) == [303, 409, 409, 409]
    assert len(acts(app)) == 1


def test_a_closed_area_is_offered_to_nothing_new_and_comes_back(
    app: Flask, administrator: Visitor, evaluator: Visitor, here: Zone
) -> None:
    end_surveys(app, here)
    confirm(administrator, upload(administrator, HEAD + "东埔镇,甲村,,\n"))
    town = here.towns[1]
    answers = administrator.post(
        f"{PAGE.format(town)}/close",
        administrator.get(PAGE.format(town)).fields(f"{PAGE.format(town)}/close"),
    )
    assert "已停用" in administrator.get(answers.location).text
    for visitor, path in ((administrator, "/staff/accounts/new"), (evaluator, "/desk/surveys/new")):
        offered = visitor.get(path).html.all("select", name="area")[0].text
        assert "忠门镇" in offered
        assert "东埔镇" not in offered
        assert "甲村" not in offered
    page = upload(administrator, HEAD + "甲村,一组,,\n", status=422)
    assert "“甲村”已停用" in page.text
    village = PAGE.format(area_named(app, "甲村"))
    reopen = administrator.get(village).fields(f"{village}/reopen")
    refused = administrator.post(f"{village}/reopen", reopen, status=400)
    assert "上级片区已停用" in refused.text
    administrator.post(f"{PAGE.format(town)}/reopen", reopen)
    administrator.post(f"{village}/reopen", reopen)
    assert "甲村" in evaluator.get("/desk/surveys/new").html.all("select", name="area")[0].text
    assert [action for action, _before, _after in acts(app)][-3:] == [
        "area_closed",
        "area_reopened",
        "area_reopened",
    ]
    assert acts(app)[-3][2] == {"title": "东埔镇", "changed": 2}


def test_what_is_in_use_is_not_closed(app: Flask, administrator: Visitor, here: Zone) -> None:
    """The fieldworker's town; then, without the account, while a survey of the town runs."""
    page, before = PAGE.format(here.towns[0]), snapshot(app)
    fields = administrator.get(page).fields(f"{page}/close")
    refused = administrator.post(f"{page}/close", fields, status=400)
    assert "1 个在用的账号、0 次没有结束的调查" in refused.text
    assert snapshot(app) == before
    with app.app_context(), transaction() as session:
        for staff in session.scalars(select(Staff).where(Staff.area_id == here.towns[0])):
            staff.is_closed = True
    change_survey(app, here.survey, area_id=here.towns[0])
    refused = administrator.post(f"{page}/close", fields, status=400)
    assert "0 个在用的账号、1 次没有结束的调查" in refused.text


def test_ones_own_area_is_neither_moved_nor_closed(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    page = PAGE.format(here.area)
    shown = administrator.get(page)
    assert not shown.html.all("form", action=f"{page}/close")
    fields, before = shown.fields(page), snapshot(app)
    for what in ("move", "close", "reopen"):
        refused = administrator.post(f"{page}/{what}", fields, status=400)
        assert "由上一级的管理员" in refused.text
    assert snapshot(app) == before


def test_areas_are_changed_by_administrators_within_their_own(
    app: Flask,
    administrator: Visitor,
    auditor: Visitor,
    evaluator: Visitor,
    noise: Zone,
    here: Zone,
    new_visitor: NewVisitor,
) -> None:
    page, before = PAGE.format(here.towns[0]), snapshot(app)
    token = administrator.get(page).fields(page)
    assert not auditor.get(page).html.all("form", action=page)
    evaluator.get(page, status=403)
    new_visitor().get(page, status=303)
    for path in (page, *(f"{page}/{what}" for what in ("move", "add", "close", "reopen"))):
        elsewhere = path.replace(str(here.towns[0]), str(noise.towns[0]))
        administrator.post(elsewhere, token, status=404)
    administrator.get(PAGE.format(noise.towns[0]), status=404)
    sent = {**token, "parent": str(noise.area)}
    administrator.post(f"{page}/move", sent, status=422)
    assert snapshot(app) == before
