"""The commands: what they print, and how they refuse."""

import json
import re
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]  # no stubs and no types of its own
import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import select

from app import demo
from app.config import Mode
from app.db import reading
from app.models import Staff
from app.services import passwords, sheets
from surveys.library import FOLDER
from surveys.reading import json_schema
from tests.conftest import (
    EVALUATOR,
    Command,
    StartApp,
    Visitor,
    Zone,
    card_states,
    command_of,
    snapshot,
)

FIELDED = FOLDER / "beian-2020-fielded.toml"
RUBRIC = "beian-2020-public-health"
SURVEY = (
    *("surveys", "create", "beian-2020-fielded"),
    *("--opens", "2026-11-01 08:00", "--closes", "2026-12-31 18:00"),
    *("--organiser", "卫健局", "--purpose", "评价服务", "--collected", "选项"),
    *("--readers", "评价人员", "--contact", "卫健局", "--erase", "2027-12-31"),
)


def test_a_right_questionnaire_is_said_to_be_right(flask: Command) -> None:
    printed = flask("questionnaires", "check", FIELDED).stdout
    assert printed == "beian-2020-fielded.toml：正确（12 题，13 个测量项）\n"


def test_a_faulty_questionnaire_is_refused_with_every_place(flask: Command, tmp_path: Path) -> None:
    text = FIELDED.read_text(encoding="utf-8")
    path = tmp_path / "faulty.toml"
    path.write_text(
        text.replace('positive = ["aware"]', 'positive = ["knows"]').replace(
            'positive = ["often"]', "positive = []"
        ),
        encoding="utf-8",
    )
    result = flask("questionnaires", "check", path, FIELDED, status=1)
    assert result.stderr.splitlines() == [
        "faulty.toml：measures.awareness.items.q1.positive：题目“q1”没有选项“knows”",
        "faulty.toml：measures.use.items.q3.positive：没有写明哪些选项算作肯定回答",
    ]
    assert "beian-2020-fielded.toml：正确" in result.stdout


def test_a_questionnaire_that_is_not_there_is_refused(flask: Command, tmp_path: Path) -> None:
    assert "无法读取" in flask("questionnaires", "check", tmp_path / "no.toml", status=1).stderr


def test_the_bundled_questionnaires_are_listed(flask: Command) -> None:
    lines = flask("questionnaires", "list").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["beian-2020-fielded", "beian-2020-printed"]


def test_the_schema_is_printed(flask: Command) -> None:
    assert json.loads(flask("questionnaires", "schema").stdout) == json_schema()


def test_areas_are_added_below_one_another(flask: Command) -> None:
    flask("areas", "add", "示范县")
    flask("areas", "add", "示范镇", "--parent", "示范县")
    flask("areas", "add", "示范村", "--parent", "示范镇")
    lines = [line.split("\t")[1] for line in flask("areas", "list").stdout.splitlines()]
    first = lines.index("示范县")
    assert lines[first : first + 3] == ["示范县", "  示范镇", "    示范村"]


def test_an_unknown_parent_is_refused(app: Flask, flask: Command) -> None:
    before = snapshot(app)
    assert "没有找到" in flask("areas", "add", "示范镇", "--parent", "无", status=2).stderr
    assert snapshot(app) == before


def test_a_name_that_two_areas_have_is_refused(app: Flask, flask: Command) -> None:
    for parent in ("忠门镇", "东埔镇"):
        flask("areas", "add", "东村", "--parent", parent)
    before = snapshot(app)
    flask("areas", "add", "一组", "--parent", "东村", status=2)
    assert snapshot(app) == before


def test_a_survey_is_made_moved_and_listed(flask: Command) -> None:
    made = flask(*SURVEY, "山亭镇", "山亭镇调查").stdout
    number, state, title = made.strip().split("\t")
    assert (state, title) == ("draft", "山亭镇调查")
    for command, after in (("open", "open"), ("pause", "paused"), ("open", "open")):
        assert f"{number}\t{after}\t" in flask("surveys", command, number).stdout
    assert f"{number}\tclosed\t" in flask("surveys", "close", number).stdout
    assert (
        f"{number}\tclosed\t山亭镇\t山亭镇调查\t2026年11月01日 08:00 – 2026年12月31日 18:00"
        in flask("surveys", "list").stdout
    )


def test_a_closed_survey_is_not_opened_again(app: Flask, flask: Command, here: Zone) -> None:
    flask("surveys", "close", here.survey)
    before = snapshot(app)
    assert "不能这样变更" in flask("surveys", "open", here.survey, status=2).stderr
    assert snapshot(app) == before


def test_a_survey_with_faults_names_each(app: Flask, flask: Command) -> None:
    before = snapshot(app)
    sent = [each.replace("2026-12-31", "2026-10-31") for each in SURVEY]
    result = flask(*sent, "山亭镇", " ", status=2)
    assert result.stderr.splitlines() == [
        "title: 请填写调查名称。",
        "closes_at: 截止时间应晚于开始时间。",
    ]
    assert snapshot(app) == before


def test_a_survey_of_an_unknown_questionnaire_is_refused(flask: Command) -> None:
    sent = [each.replace("beian-2020-fielded", "none") for each in SURVEY]
    assert "没有问卷“none”" in flask(*sent, "山亭镇", "调查", status=2).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("surveys", "open", "0"),
        ("surveys", "posters", "0"),
        ("rates", "0"),
        ("score", "0", RUBRIC),
        ("cards", "make", "0", "忠门镇", "3", "--holder", "x"),
        ("cards", "sheet", "0", "--output", "none.pdf"),
        (*SURVEY, "无", "调查"),
        ("staff", "add", "new", "--role", "evaluator", "--area", "无"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_what_is_not_there_is_said_in_one_line(
    arguments: tuple[str, ...], app: Flask, flask: Command
) -> None:
    before = snapshot(app)
    result = flask(*arguments, status=2)
    assert result.stderr == "没有找到这个页面，请核对地址。\n"
    assert not result.stdout
    assert snapshot(app) == before


def test_posters_are_listed_with_their_addresses(flask: Command, here: Zone) -> None:
    lines = flask("surveys", "posters", here.survey).stdout.splitlines()
    assert lines[0] == f"北岸经济开发区\thttps://minping.example/p/{here.slug}"
    assert [line.split("\t")[0] for line in lines[1:]] == ["忠门镇", "东埔镇", "山亭镇"]


def test_cards_are_made_and_printed(app: Flask, flask: Command, here: Zone, tmp_path: Path) -> None:
    made = flask("cards", "make", here.survey, "东埔镇", 12, "--holder", "东埔村委会").stdout
    number, area, size = made.strip().split("\t")
    assert (area, size) == ("东埔镇", "12")
    assert len(card_states(app, int(number))) == 12
    path = tmp_path / "cards.pdf"
    assert flask("cards", "sheet", number, "--output", path).stdout == f"{path}\n"
    assert len(pypdfium2.PdfDocument(path.read_bytes())) == 2


def test_a_large_batch_is_printed_part_by_part(
    flask: Command, here: Zone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "PART_SIZE", 5)
    made = flask("cards", "make", here.survey, "东埔镇", 12, "--holder", "东埔村委会").stdout
    number, path = made.split("\t")[0], tmp_path / "cards.pdf"
    parts = [tmp_path / f"cards-{part}.pdf" for part in (1, 2, 3)]
    said = flask("cards", "sheet", number, "--output", path, "--layout", "eight").stdout
    assert said.splitlines() == [str(part) for part in parts]
    assert all(part.stat().st_mode & 0o077 == 0 for part in parts)
    flask("cards", "sheet", number, "--output", path, "--part", 2, "--layout", "eight")
    assert path.read_bytes() == parts[1].read_bytes()
    flask("cards", "sheet", number, "--output", path, "--part", 4, status=2)


def test_cards_that_cannot_be_made_say_why(app: Flask, flask: Command, here: Zone) -> None:
    before = snapshot(app)
    result = flask("cards", "make", here.survey, "噪声镇", 0, "--holder", " ", status=2)
    assert result.stderr.splitlines() == [
        "size: 张数应在 1 到 10000 之间。",
        "area: 这个片区不在本次调查的范围内。",
        "holder: 请填写领卡人或存放处。",
    ]
    assert snapshot(app) == before


def test_an_account_gets_a_password_of_its_own(flask: Command, visitor: Visitor) -> None:
    printed = [
        flask("staff", "add", name, "--role", "evaluator", "--area", "忠门镇").stdout.split()
        for name in ("wang", "zhao")
    ]
    assert [name for name, _password in printed] == ["wang", "zhao"]
    passwords = [password for _name, password in printed]
    assert passwords[0] != passwords[1]
    assert min(map(len, passwords)) >= 16
    visitor.sign_in("wang", passwords[0])
    assert visitor.get("/desk/", status=303).location == "/staff/account/"  # to be changed first


def test_a_password_is_stored_as_argon2id(app: Flask, flask: Command) -> None:
    password = flask("staff", "add", "wang", "--role", "evaluator", "--area", "忠门镇").stdout
    with app.app_context(), reading() as session:
        stored = session.scalars(select(Staff).where(Staff.name == "wang")).one()
    assert stored.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert password.split()[1] not in stored.password_hash
    assert not stored.is_demo


def test_a_name_that_is_taken_is_refused(app: Flask, flask: Command) -> None:
    before = snapshot(app)
    result = flask("staff", "add", EVALUATOR, "--role", "evaluator", "--area", "忠门镇", status=2)
    assert result.stderr == "name: 这个用户名已被使用。\n"
    assert snapshot(app) == before


def test_an_unknown_role_is_refused(flask: Command) -> None:
    flask("staff", "add", "wang", "--role", "king", "--area", "忠门镇", status=2)


# ---------------------------------------------------------------------------------------------
# The demo, its rates and its points
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def loaded(flask: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The commands, beside the demo; its two accounts need no expensive passwords here."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", cheap)
    assert flask("demo", "load").stdout == "演示数据已建立。\n"
    return flask


def demo_surveys(flask: Command) -> dict[str, str]:
    """Return the ids of the demo's surveys by state."""
    lines = [line.split("\t") for line in flask("surveys", "list").stdout.splitlines()]
    return {line[1]: line[0] for line in lines if line[2] == demo.ZONE}


def test_loading_the_demo_twice_changes_nothing(app: Flask, loaded: Command) -> None:
    before = snapshot(app)
    assert loaded("demo", "load").stdout == "演示数据已存在，没有改动。\n"
    assert snapshot(app) == before


def test_the_demo_shows_the_way_of_each_user(loaded: Command, visitor: Visitor) -> None:
    lines = loaded("demo", "show").stdout.splitlines()
    paths = [re.findall(r"https://minping\.example(\S+)", line)[0] for line in lines]
    assert paths[2:] == ["/field/", "/desk/", "/desk/evaluations/", "/field/evaluations/"]
    for path in paths[:2]:
        visitor.submit(path)
    for line in lines[2:]:
        name, password = re.findall(r"(\S+) / (\S+)", line)[0]
        visitor.sign_in(name, password)


def test_the_demo_shows_another_card_when_one_was_answered(
    loaded: Command, visitor: Visitor
) -> None:
    first = loaded("demo", "show").stdout.splitlines()[0]
    visitor.submit(first.rpartition("minping.example")[2])
    assert loaded("demo", "show").stdout.splitlines()[0] != first


def test_the_demo_is_shown_also_after_its_surveys_moved(loaded: Command) -> None:
    before = loaded("demo", "show").stdout
    loaded("surveys", "close", demo_surveys(loaded)["open"])
    assert loaded("demo", "show").stdout == before


def test_rates_are_printed_with_counts_and_interval(loaded: Command) -> None:
    lines = loaded("rates", demo_surveys(loaded)["closed"]).stdout.splitlines()
    assert "有效答卷 103 份" in lines[0]
    for line in (
        "  82/103 = 79.61%，未计入 0，95% 区间 70.83%–86.26%（wilson）",
        "    忠门镇：30/35 = 85.71%，未计入 0，95% 区间 70.62%–93.74%（wilson）",
        "  还没有答卷，不可计算",
    ):
        assert line in lines


def test_rates_without_answers_are_not_zero(flask: Command, here: Zone) -> None:
    printed = flask("rates", here.survey).stdout
    assert printed.count("还没有答卷，不可计算") == 13
    assert "0.00%" not in printed


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("area", ["忠门镇", "东埔镇", "山亭镇"]),
        ("channel", ["纸质"]),
        ("q1", ["知道", "不知道"]),
    ],
)
def test_rates_are_broken_down(by: str, groups: list[str], loaded: Command) -> None:
    printed = json.loads(
        loaded("rates", demo_surveys(loaded)["closed"], "--by", by, "--json").stdout
    )
    assert printed["by"] == by
    measure = next(each for each in printed["measures"] if each["measure"] == "needs_met")
    assert [group["name"] for group in measure["groups"]] == groups
    assert sum(group["rate"]["base"] for group in measure["groups"]) == 103


@pytest.mark.parametrize("by", ["q2", "q99", "town", ""])
def test_rates_are_not_broken_down_by_anything_else(by: str, flask: Command, here: Zone) -> None:
    result = flask("rates", here.survey, "--by", by, status=2)
    assert result.stderr == f"只能按 area、channel 或只选一个的题分组，没有“{by}”。\n"


def test_rates_as_json_are_exact(loaded: Command) -> None:
    printed = json.loads(loaded("rates", demo_surveys(loaded)["closed"], "--json").stdout)
    assert (printed["submissions"], printed["replayed"]) == (103, 103)
    (awareness,) = printed["measures"][0]["rates"]
    assert (awareness["numerator"], awareness["base"]) == (82, 103)
    assert (awareness["value"], awareness["percent"]) == ("82/103", "79.61")
    assert awareness["interval"]["method"] == "wilson"
    assert (awareness["credit"], awareness["weighted"], awareness["reliability"]) == (
        "82",
        None,
        [],
    )
    assert (awareness["design_effect"], awareness["freedom"]) == (1.0, 102)


def test_the_score_sheet_is_printed_with_its_working(loaded: Command) -> None:
    printed = loaded("score", demo_surveys(loaded)["closed"], RUBRIC).stdout
    assert "政策知晓度 82/103 = 79.61% 低于 85%，得分 = 79.61% ÷ 85% × 5 = 4.68 分" in printed
    assert "没有测量值；缺失不按 0 分计" in printed


def test_the_score_sheet_as_json_has_the_same_points(loaded: Command) -> None:
    printed = loaded("score", demo_surveys(loaded)["closed"], RUBRIC, "--json").stdout
    text = json.dumps(json.loads(printed), ensure_ascii=False)
    for points in ("4.68", "4.42", "2.63"):
        assert points in text


def test_an_unknown_rubric_is_refused(flask: Command, here: Zone) -> None:
    assert flask("score", here.survey, "none", status=2).stderr


def test_the_doctor_names_database_font_and_mode(backend: str, flask: Command) -> None:
    printed = flask("doctor").stdout
    assert f"数据库 {backend}" in printed
    assert "字体 " in printed
    assert "模式 demo，公共地址 https://minping.example" in printed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mode": Mode.DEMO, "trusted_proxies": 1}, ["MINPING_MODE=production"]),
        ({"mode": Mode.DEMO, "base_url": "http://127.0.0.1:8000"}, []),
        ({"mode": Mode.PRODUCTION, "base_url": "http://127.0.0.1:8000"}, []),
        ({"mode": Mode.PRODUCTION, "base_url": "http://minping.example"}, ["MINPING_BASE_URL"]),
        ({"mode": Mode.PRODUCTION, "trusted_proxies": 1}, []),
        ({"mode": Mode.PRODUCTION}, ["TRUSTED_PROXIES"]),
        (
            {"mode": Mode.PRODUCTION, "trusted_proxies": 1, "cookie_secure": False},
            ["MINPING_COOKIE_SECURE"],
        ),
    ],
    ids=str,
)
def test_the_doctor_warns_of_what_is_unsafe_together(
    changes: dict[str, object], words: list[str], start_app: StartApp
) -> None:
    lines = command_of(start_app(**changes))("doctor").stdout.splitlines()
    warnings = [line for line in lines if line.startswith("注意：")]
    assert len(warnings) == len(words)
    assert all(word in line for word, line in zip(words, warnings, strict=True))


def test_the_doctor_says_where_limits_are_counted(start_app: StartApp) -> None:
    away = start_app(redis_url="redis://:secret-word@127.0.0.1:1")
    assert "限流计数 在内存中" in command_of(start_app())("doctor").stdout
    printed = command_of(away)("doctor").stdout
    assert "限流计数 在 Redis，但现在连不上" in printed
    assert "secret-word" not in printed


def test_the_demo_needs_the_demo_mode(start_app: StartApp, app: Flask) -> None:
    before = snapshot(app)
    result = command_of(start_app(mode=Mode.PRODUCTION))("demo", "load", status=2)
    assert "只有 MINPING_MODE=demo 时才能建立演示数据。" in result.stderr
    assert snapshot(app) == before


def test_without_the_demo_there_is_nothing_to_show(flask: Command) -> None:
    assert "还没有演示数据" in flask("demo", "show", status=2).stderr
