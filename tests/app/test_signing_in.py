"""Signing in and out, and what a form of the staff side must carry."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask

from app.config import Mode
from app.db import transaction
from app.models import Area, Role, Staff
from tests.conftest import (
    EVALUATOR,
    FIELDWORKER,
    PASSWORD,
    House,
    StartApp,
    Visitor,
    Zone,
    snapshot,
)

SIGN_IN = "/staff/sign-in"
WRONG = "用户名或密码不对，请核对后再试。"


@pytest.mark.parametrize(("name", "home"), [(EVALUATOR, "/desk/"), (FIELDWORKER, "/field/")])
def test_the_right_password_leads_to_ones_work(name: str, home: str, visitor: Visitor) -> None:
    assert visitor.sign_in(name).location == home
    assert name in visitor.get(home).body


@pytest.mark.parametrize(
    ("name", "password"), [(EVALUATOR, "wrong"), ("nobody", PASSWORD), ("x" * 64, "y" * 200)]
)
def test_a_wrong_name_or_password_is_one_sentence(
    name: str, password: str, visitor: Visitor
) -> None:
    page = visitor.sign_in(name, password, status=422)
    assert page.errors == WRONG
    assert page.fields()["name"] == [name]
    assert password not in page.body


def test_nothing_filled_in_is_said_beside_each_field(visitor: Visitor) -> None:
    assert visitor.sign_in("", "", status=422).errors == "请填写用户名。 请填写密码。"


def test_a_strange_name_is_a_wrong_name(visitor: Visitor) -> None:
    assert visitor.sign_in("\x00", status=422).errors


def test_a_name_is_shown_as_text(visitor: Visitor) -> None:
    page = visitor.sign_in('"><script>alert(1)</script>', status=422)
    assert not page.html.all("script")


def test_a_wrong_password_opens_nothing(visitor: Visitor) -> None:
    visitor.sign_in(EVALUATOR, "wrong", status=422)
    visitor.get("/desk/", status=303)


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(visitor: Visitor) -> None:
    cookie = visitor.sign_in(EVALUATOR).response.headers["Set-Cookie"]
    for word in ("staff=", "HttpOnly", "Secure", "SameSite=Lax"):
        assert word in cookie


def sign_in_towards(visitor: Visitor, target: str) -> str:
    fields = visitor.get(SIGN_IN, next=target).fields()
    response = visitor.client.post(
        SIGN_IN,
        query_string={"next": target},
        data={**fields, "name": EVALUATOR, "password": PASSWORD},
        headers={"Referer": "https://localhost/"},
    )
    return response.headers["Location"]


@pytest.mark.parametrize("target", ["/desk/surveys/new", "/field/", "/desk/?page=2"])
def test_signing_in_leads_on_to_where_one_wanted_to_go(target: str, visitor: Visitor) -> None:
    assert sign_in_towards(visitor, target) == target


ELSEWHERE = [
    "//evil.example",
    "https://evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "javascript:alert(1)",
    "evil.example",
    "",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_in_leads_nowhere_else(target: str, visitor: Visitor) -> None:
    assert sign_in_towards(visitor, target) == "/desk/"


@pytest.mark.parametrize("target", ELSEWHERE)
def test_choosing_a_language_leads_nowhere_else(target: str, visitor: Visitor) -> None:
    assert visitor.get("/staff/language/en", status=303, next=target).location == SIGN_IN


def test_a_language_is_remembered(visitor: Visitor) -> None:
    visitor.get("/staff/language/en", status=303)
    (html,) = visitor.get(SIGN_IN).html.all("html")
    assert html.attributes["lang"] == "en"


def test_who_is_not_signed_in_is_asked_to_and_brought_back(visitor: Visitor, here: Zone) -> None:
    wanted = f"/desk/surveys/{here.survey}/rates"
    asked = visitor.get(wanted, status=303)
    assert asked.location == f"{SIGN_IN}?next={wanted}"
    assert sign_in_towards(visitor, wanted) == wanted


def test_signing_out_ends_the_session(evaluator: Visitor) -> None:
    evaluator.fill("/desk/", action="/staff/sign-out")
    evaluator.get("/desk/", status=303)


STAFF_POSTS = [
    SIGN_IN,
    "/staff/sign-out",
    "/staff/code/",
    "/staff/account/",
    "/staff/account/sign-out-everywhere",
    "/staff/second-factor/",
    "/staff/second-factor/recovery-codes",
    "/staff/accounts/new",
    "/staff/accounts/{staff}",
    "/staff/accounts/{staff}/close",
    "/staff/accounts/{staff}/unlock",
    "/staff/accounts/{staff}/reset-password",
    "/staff/accounts/{staff}/reset-factor",
    "/desk/surveys/new",
    "/desk/surveys/{survey}/notice",
    "/desk/surveys/{survey}/state",
    "/desk/surveys/{survey}/seals",
    "/desk/areas/",
    "/desk/areas/import",
    "/desk/areas/{area}",
    "/desk/areas/{area}/move",
    "/desk/areas/{area}/add",
    "/desk/areas/{area}/close",
    "/desk/areas/{area}/reopen",
    "/desk/tokens/",
    "/desk/tokens/{token}/revoke",
    "/desk/surveys/{survey}/imports",
    "/desk/surveys/{survey}/imports/confirm",
    "/desk/surveys/{survey}/imports/{import}/set-aside",
    "/desk/surveys/{survey}/mappings/new",
    "/desk/surveys/{survey}/mappings/sample",
    "/desk/surveys/{survey}/external",
    "/desk/surveys/{survey}/external/{rate}/withdraw",
    "/desk/surveys/{survey}/review/<reference>",
    "/desk/surveys/{survey}/inclusion",
    "/desk/surveys/{survey}/back-checks",
    "/field/surveys/{survey}/back-checks/{check}",
    "/desk/surveys/{survey}/paper",
    "/desk/surveys/{survey}/cards",
    "/desk/surveys/{survey}/areas",
    "/desk/surveys/{survey}/design",
    "/desk/surveys/{survey}/design/margins",
    "/desk/surveys/{survey}/plan",
    "/desk/evaluations/new",
    "/desk/evaluations/{evaluation}/deadline",
    "/desk/evaluations/{evaluation}/close",
    "/desk/evaluations/{evaluation}/sources",
    "/desk/evaluations/{evaluation}/year-before",
    "/desk/evaluations/objects/{object}/accept",
    "/desk/evaluations/objects/{object}/indicators/<indicator>",
    "/field/evaluations/objects/{object}/indicators/<indicator>",
    "/field/evaluations/objects/{object}/indicators/<indicator>/evidence",
    "/field/evaluations/objects/{object}/self",
    "/desk/rubrics/upload",
    "/desk/rubrics/copy",
    "/desk/rubrics/keep",
    "/desk/rubrics/{stored}/use",
    "/desk/rubrics/{stored}/version",
    "/desk/rubrics/{stored}/indicator",
    "/desk/rubrics/{stored}/head",
    "/desk/rubrics/audit",
    "/desk/rubrics/audit/form",
    "/desk/rubrics/audit/findings",
    "/field/surveys/{survey}",
    "/field/batches/{batch}",
    "/field/batches/{batch}/expiry",
    "/field/scan",
    "/field/surveys/{survey}/paper/key",
    "/field/surveys/{survey}/paper/differences",
    "/field/surveys/{survey}/paper/withdraw",
]


# The residents' form with a token signed for one person (tests/app/test_interviewing.py).
WITH_OWN_TOKEN = {"/field/surveys/{survey}/interview"}


def test_every_staff_form_is_listed_here(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    staff = [rule for rule in rules if not rule.endpoint.startswith("respond.")]
    assert {re.sub(r"<\w+:(\w+)_id>", r"{\1}", rule.rule) for rule in staff} == {
        *STAFF_POSTS,
        *WITH_OWN_TOKEN,
    }


FORGERIES: list[tuple[Mapping[str, str], str | None]] = [
    ({}, "https://localhost/"),
    ({"csrf_token": "forged"}, "https://localhost/"),
    ({"csrf_token": "own"}, None),
    ({"csrf_token": "own"}, "https://evil.example/"),
]


@pytest.mark.parametrize("path", STAFF_POSTS)
@pytest.mark.parametrize(("fields", "referer"), FORGERIES)
def test_a_form_from_elsewhere_is_refused(
    path: str,
    fields: Mapping[str, str],
    referer: str | None,
    app: Flask,
    evaluator: Visitor,
    here: Zone,
) -> None:
    own = evaluator.get("/desk/").fields("/staff/sign-out")["csrf_token"]
    sent = {name: own if value == "own" else value for name, value in fields.items()}
    before = snapshot(app)
    page = evaluator.post(
        path.format(
            survey=here.survey,
            batch=here.batch,
            staff=1,
            rate=1,
            check=1,
            area=here.area,
            evaluation=here.evaluation,
            object=here.scored,
            stored=here.rubric,
            token=1,
            **{"import": 1},
        ),
        {**sent, "to": "closed"},
        status=400,
        referer=referer,
    )
    assert "页面已过期" in page.text
    assert snapshot(app) == before
    evaluator.get("/desk/")  # still signed in


@pytest.fixture
def demo_staff(house: House, password_hash: str) -> str:
    with house.app.app_context(), transaction() as session:
        area = session.get_one(Area, house.world.here.area)
        session.add(
            Staff(
                name="yanshi",
                role=Role.EVALUATOR,
                area_id=area.id,
                password_hash=password_hash,
                is_demo=True,
            )
        )
    return "yanshi"


def test_a_demo_account_works_in_the_demo(demo_staff: str, visitor: Visitor) -> None:
    visitor.sign_in(demo_staff)


def test_a_demo_account_is_none_in_production(demo_staff: str, start_app: StartApp) -> None:
    visitor = Visitor(start_app(mode=Mode.PRODUCTION))
    assert visitor.sign_in(demo_staff, status=422).errors == WRONG


def test_a_demo_session_ends_where_production_begins(
    demo_staff: str, visitor: Visitor, start_app: StartApp
) -> None:
    visitor.sign_in(demo_staff)
    cookie: Any = visitor.client.get_cookie("staff")
    other = Visitor(start_app(mode=Mode.PRODUCTION))
    other.client.set_cookie("staff", cookie.value)
    other.get("/desk/", status=303)


def test_other_accounts_work_in_production(start_app: StartApp) -> None:
    Visitor(start_app(mode=Mode.PRODUCTION)).sign_in(EVALUATOR)


def test_a_session_that_the_database_does_not_know_opens_nothing(visitor: Visitor) -> None:
    with visitor.client.session_transaction() as cookie:
        cookie["token"] = "forged"
    visitor.get("/desk/", status=303)
