"""Areas from a table: seen before stored, all or nothing, and never beyond one's own branch."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from openpyxl import Workbook
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Area, AuditEntry, Role, Staff
from app.services import areas
from app.spreadsheets.reading import LARGEST_FILE
from tests.conftest import House, Page, Visitor, Zone, _signed_in, snapshot

HEAD = "上级片区,片区,人口,分层\n"
ROOT = "北岸经济开发区"


def upload(
    visitor: Visitor, content: str | bytes, name: str = "areas.csv", *, status: int = 200
) -> Page:
    """Send a file as the page's form does."""
    token = visitor.get("/desk/areas/").fields("/desk/areas/")["csrf_token"]
    raw = content.encode() if isinstance(content, str) else content
    fields = {"csrf_token": token, "file": (io.BytesIO(raw), name)}
    return visitor.post("/desk/areas/", fields, status=status)  # type: ignore[arg-type]


def confirm(visitor: Visitor, preview: Page, *, status: int = 303) -> Page:
    return visitor.post("/desk/areas/import", preview.fields("/desk/areas/import"), status=status)


def tree(app: Flask, root: int) -> dict[str, tuple[int | None, str | None]]:
    """Return the areas of a branch by their names from the root, with population and stratum."""
    with app.app_context(), reading() as session:
        found = areas.load_branch(session, session.get_one(Area, root))
        names = {area.id: area.name for area in found}
        return {
            "/".join(names[int(step)] for step in area.path.split("/")[:-1]): (
                area.population,
                area.stratum,
            )
            for area in found
        }


def acts(app: Flask) -> list[tuple[str, str, object]]:
    with app.app_context(), reading() as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
        return [(each.action, each.object, each.after) for each in found]


@pytest.fixture
def other_administrator(house: House) -> Visitor:
    """An administrator of the other zone."""
    return _newcomer(house, "waiguan", Role.ADMINISTRATOR, house.world.noise)


@pytest.fixture
def auditor(house: House) -> Visitor:
    return _newcomer(house, "shenji", Role.AUDITOR, house.world.here)


def _newcomer(house: House, name: str, role: Role, zone: Zone) -> Visitor:
    with house.app.app_context(), transaction() as session:
        staff = Staff(name=name, role=role, area_id=zone.area, password_hash="x", is_demo=False)
        session.add(staff)
        session.flush()
        number = staff.id
    world = replace(house.world, staff={**house.world.staff, name: number})
    return _signed_in(replace(house, world=world), name)


# ---------------------------------------------------------------------------------------------
# The page
# ---------------------------------------------------------------------------------------------

NEW = (
    HEAD
    + f'笏石村,一组,30,\n忠门镇,笏石村,"1,200",沿海\n{ROOT},忠门镇,,山区\n{ROOT},湄洲镇,9000,\n'
)


def test_a_table_is_seen_before_it_is_stored(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    before = snapshot(app)
    page = upload(administrator, NEW)
    assert "会新增 3 个，修改 1 个" in page.text
    assert "北岸经济开发区 › 忠门镇 › 笏石村 › 一组" in page.text
    assert snapshot(app) == before
    assert confirm(administrator, page).location == "/desk/areas/?added=3&changed=1"
    assert tree(app, here.area) == {
        ROOT: (None, None),
        f"{ROOT}/忠门镇": (None, "山区"),
        f"{ROOT}/东埔镇": (None, None),
        f"{ROOT}/山亭镇": (None, None),
        f"{ROOT}/忠门镇/笏石村": (1200, "沿海"),
        f"{ROOT}/忠门镇/笏石村/一组": (30, None),
        f"{ROOT}/湄洲镇": (9000, None),
    }
    assert "笏石村 1200 沿海" in administrator.get("/desk/areas/", added="3", changed="1").text
    assert acts(app) == [("areas_imported", f"area {here.area}", {"added": 3, "changed": 1})]


def test_twice_is_as_good_as_once(app: Flask, administrator: Visitor) -> None:
    first = upload(administrator, NEW)
    confirm(administrator, first)
    after = snapshot(app)
    assert confirm(administrator, first).location == "/desk/areas/?added=0&changed=0"
    page = upload(administrator, NEW)
    assert "会新增 0 个，修改 0 个；另有 4 个已经有了" in page.text
    assert snapshot(app) == after


def test_two_at_once_add_each_area_once(app: Flask, administrator: Visitor, here: Zone) -> None:
    fields = upload(administrator, NEW).fields("/desk/areas/import")
    token = administrator.client.get_cookie("staff")
    assert token is not None

    def send(_turn: int) -> int:
        client = app.test_client()
        client.set_cookie("staff", token.value, secure=True)
        referer = {"Referer": "https://localhost/"}
        address = "https://localhost/desk/areas/import"
        return client.post(address, data=fields, headers=referer).status_code

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(send, range(4))) == [303] * 4
    with app.app_context(), reading() as session:
        count = len(areas.load_branch(session, session.get_one(Area, here.area)))
    assert count == 4 + 3
    assert acts(app) == [("areas_imported", f"area {here.area}", {"added": 3, "changed": 1})]


def test_an_empty_cell_leaves_what_is_stored(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    confirm(administrator, upload(administrator, NEW))
    confirm(administrator, upload(administrator, HEAD + f"{ROOT},湄洲镇,,海岛\n"))
    assert tree(app, here.area)[f"{ROOT}/湄洲镇"] == (9000, "海岛")


def test_ones_own_root_may_stand_in_the_table(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    confirm(administrator, upload(administrator, HEAD + f",{ROOT},50000,\n"))
    assert tree(app, here.area)[ROOT] == (50_000, None)


def test_every_fault_is_named_and_nothing_stored(app: Flask, administrator: Visitor) -> None:
    before = snapshot(app)
    faulty = [
        f"{ROOT},,1,",
        f"{ROOT},甲/乙,1,",
        f"{ROOT},{'长' * 101},1,{'层' * 51}",
        "没有镇,甲村,-1,",
        "噪声镇,乙村,一千,",
        ",丙村,3000000000,",
        f"{ROOT},好镇,1,",
        f"{ROOT},好镇,2,",
        "丁村,戊村,1,",
        "戊村,丁村,1,",
        "甲村,子村,1.5,",
    ]
    page = upload(administrator, HEAD + "\n".join(faulty), status=422)
    (box,) = page.html.all("div", id="faults")
    assert [each.text for each in box.all("li")] == [
        "第 2 行“片区”：请填写片区名称。",
        "第 3 行“片区”：名称里不能有“/”。",
        "第 4 行“片区”：太长，最多 100 个字。",
        "第 4 行“分层”：太长，最多 50 个字。",
        "第 5 行“上级片区”：您管辖的片区里和本表里都没有“没有镇”。",
        "第 5 行“人口”：要填整数，单位是人，例如 12345。",
        "第 6 行“上级片区”：您管辖的片区里和本表里都没有“噪声镇”。",
        "第 6 行“人口”：要填整数，单位是人，例如 12345。",
        "第 7 行“上级片区”：请填写上级片区，它要在您管辖的片区里。",
        "第 7 行“人口”：要填整数，单位是人，例如 12345。",
        "第 9 行“片区”：与第 8 行重复。",
        "第 10 行“上级片区”：上级片区互相绕成了圈，或超过 8 级。",
        "第 11 行“上级片区”：上级片区互相绕成了圈，或超过 8 级。",
        "第 12 行“人口”：要填整数，单位是人，例如 12345。",
    ]
    assert "一个片区都没有存" in page.text
    assert snapshot(app) == before


def test_five_thousand_rows_name_each_faulty_cell(app: Flask, administrator: Visitor) -> None:
    before = snapshot(app)
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["上级片区", "片区", "人口", "分层"])
    for number in range(5000):
        people = "很多" if number % 100 == 0 else number
        sheet.append(["忠门镇", f"第{number}村", people, None])
    file = io.BytesIO()
    book.save(file)
    page = upload(administrator, file.getvalue(), "areas.xlsx", status=422)
    (box,) = page.html.all("div", id="faults")
    assert [each.text for each in box.all("li")] == [
        f"第 {number + 2} 行“人口”：要填整数，单位是人，例如 12345。"
        for number in range(0, 5000, 100)
    ]
    assert snapshot(app) == before


def test_five_thousand_areas_are_added_at_once(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    villages = "".join(f"忠门镇,第{number}村,{number},\n" for number in range(5000))
    page = upload(administrator, HEAD + villages)
    assert "另有 4800 个没有列出" in page.text
    confirm(administrator, page)
    assert len(tree(app, here.area)) == 4 + 5000


def test_a_name_that_several_bear_must_be_written_with_its_parent(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    twins = HEAD + "忠门镇,城关村,,\n东埔镇,城关村,,\n"
    page = upload(administrator, f"{twins}城关村,一组,,\n", status=422)
    assert "第 4 行“上级片区”：有 2 个，请写成“上级/片区”，例如：" in page.text
    confirm(administrator, upload(administrator, f"{twins}东埔镇 / 城关村,一组,,\n"))
    assert f"{ROOT}/东埔镇/城关村/一组" in tree(app, here.area)


def test_more_levels_than_a_county_has_are_refused(administrator: Visitor) -> None:
    chain = "".join(
        f"{above},级{n},,\n" for n, above in enumerate(["忠门镇", *(f"级{n}" for n in range(9))])
    )
    text = upload(administrator, HEAD + chain, status=422).text
    assert "层级太多，最多 8 级" in text
    assert "超过 8 级" in text


# ---------------------------------------------------------------------------------------------
# Who may, and with what
# ---------------------------------------------------------------------------------------------


def test_only_administrators_import(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, administrator: Visitor
) -> None:
    before = snapshot(app)
    token = administrator.get("/desk/areas/").fields("/desk/areas/")
    for other in (evaluator, fieldworker):
        other.get("/desk/areas/", status=403)
        own = other.get("/field/").fields("/staff/sign-out")["csrf_token"]
        for path in ("/desk/areas/", "/desk/areas/import"):
            other.post(path, {**token, "csrf_token": own}, status=403)
    assert snapshot(app) == before


def test_a_preview_is_good_for_the_person_who_saw_it(
    app: Flask, administrator: Visitor, auditor: Visitor, other_administrator: Visitor
) -> None:
    preview = upload(administrator, NEW).fields("/desk/areas/import")
    before = snapshot(app)
    own = other_administrator.get("/desk/areas/").fields("/desk/areas/")["csrf_token"]
    page = other_administrator.post(
        "/desk/areas/import", {**preview, "csrf_token": own}, status=400
    )
    assert "预览已经过期" in page.text
    assert "从表格导入" not in auditor.get("/desk/areas/").text
    for bent in ("", "x", preview["table"][0][:-1]):
        administrator.post("/desk/areas/import", {**preview, "table": bent}, status=400)
    assert snapshot(app) == before


def test_nothing_is_sent_without_the_token_of_the_form(app: Flask, administrator: Visitor) -> None:
    preview = upload(administrator, NEW).fields("/desk/areas/import")
    before = snapshot(app)
    administrator.post("/desk/areas/import", {"table": preview["table"]}, status=400)
    sent: dict[str, object] = {"file": (io.BytesIO(NEW.encode()), "a.csv")}
    assert administrator.client.post("/desk/areas/", data=sent).status_code == 400
    assert snapshot(app) == before


def test_another_zone_is_neither_seen_nor_reached(
    app: Flask, administrator: Visitor, other_administrator: Visitor, noise: Zone
) -> None:
    before = tree(app, noise.area)
    assert "噪声" not in administrator.get("/desk/areas/").text
    page = upload(administrator, HEAD + "噪声镇,新村,,\n噪声开发区/噪声镇,新村,,\n", status=422)
    assert "没有“噪声镇”" in page.text
    confirm(administrator, upload(administrator, HEAD + f"{ROOT},噪声镇,,\n噪声镇,新村,,\n"))
    assert tree(app, noise.area) == before
    assert "新村" not in other_administrator.get("/desk/areas/").text


@pytest.mark.parametrize(
    ("more", "status", "sentence"), [(2**17, 413, "内容太大"), (1, 422, "最多 4 MB")]
)
def test_a_body_beyond_the_limit_is_refused(
    more: int, status: int, sentence: str, app: Flask, administrator: Visitor
) -> None:
    before = snapshot(app)
    token = administrator.get("/desk/areas/").fields("/desk/areas/")["csrf_token"][0]
    part = "--x\r\nContent-Disposition: form-data; name="
    head = f'{part}"csrf_token"\r\n\r\n{token}\r\n{part}"file"; filename="a.csv"\r\n\r\n'
    answer = administrator.client.post(
        "/desk/areas/",
        data=head.encode() + b"x" * (LARGEST_FILE + more) + b"\r\n--x--\r\n",
        content_type="multipart/form-data; boundary=x",
        headers={"Referer": "https://localhost/"},
    )
    assert answer.status_code == status
    assert sentence in answer.text
    assert snapshot(app) == before


def test_no_file_says_so(administrator: Visitor) -> None:
    token = administrator.get("/desk/areas/").fields("/desk/areas/")
    page = administrator.post("/desk/areas/", {"csrf_token": token["csrf_token"]}, status=422)
    assert "请选择一个文件" in page.errors


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "{{ 7*7 }}", "=1+1"])
def test_what_stands_in_a_table_is_text(text: str, administrator: Visitor) -> None:
    page = upload(administrator, f"上级片区,片区,{text}\n忠门镇,{text.replace('/', '')},\n")
    assert text in page.text
    assert "<script>" not in page.body
    assert "<script>" not in upload(administrator, HEAD + f"{text},甲,,\n", status=422).body


# ---------------------------------------------------------------------------------------------
# The command
# ---------------------------------------------------------------------------------------------


def test_the_command_imports_whole_trees(
    app: Flask, flask: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "areas.csv"
    file.write_text(f"{HEAD},新县,,\n新县,新镇,10,\n{ROOT},湄洲镇,,\n", encoding="gb18030")
    before = snapshot(app)
    tried = flask("areas", "import", file, "--dry-run").output
    assert "+ 新县/新镇" in tried
    assert "（没有保存）" in tried
    assert snapshot(app) == before
    assert "新增 3，修改 0，不变 0\n" in flask("areas", "import", file).output
    assert {(action, str(after)) for action, _object, after in acts(app)} == {
        ("areas_imported", "{'added': 2, 'changed': 0}"),
        ("areas_imported", "{'added': 1, 'changed': 0}"),
    }
    assert "新增 0，修改 0，不变 3" in flask("areas", "import", file).output


def test_the_command_names_every_fault(
    app: Flask, flask: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "areas.csv"
    file.write_text(HEAD + "没有,甲,x,\n" + "没有,乙,,\n" * 60, encoding="utf-8")
    before = snapshot(app)
    said = flask("areas", "import", file, status=2).stderr.splitlines()
    assert said[0] == "第 2 行“上级片区”：您管辖的片区里和本表里都没有“没有”。"
    assert said[-1].startswith("另有 ")
    assert snapshot(app) == before


def test_one_area_added_by_command_is_on_record(app: Flask, flask: Callable[..., Result]) -> None:
    flask("areas", "add", "某村", "--parent", "忠门镇")
    assert acts(app)[0][0] == "area_added"
    assert acts(app)[0][2] == {"title": "某村"}
