"""The API: by token, within the token's branch, with the figures of the commands and the pages."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from jsonschema import Draft202012Validator, FormatChecker
from sqlalchemy import select

from analysis.scoring import __main__ as scoring
from app import limits
from app.api import description
from app.db import reading, transaction
from app.models import ApiToken, Area, AuditEntry
from app.services import tokens
from tests.conftest import (
    NOW,
    Command,
    Page,
    Visitor,
    Zone,
    add_submissions,
    answers,
    snapshot,
)

RUBRIC = "beian-2020-public-health"
OPENAPI = json.loads(description._DOCUMENT)
TOKEN = re.compile(r"minping_[\w-]{43}")


class Machine:
    """Another system with a token; what it reads is checked against the description."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self.visitor = Visitor(app)
        if token is not None:
            self.visitor.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    def get(self, path: str, *, status: int = 200, **query: str) -> Page:
        page = self.visitor.get(f"/api/v1{path}", status=status, **query)
        response = page.response
        assert "Set-Cookie" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"
        described = OPENAPI["paths"][re.sub(r"/surveys/\d+", "/surveys/{survey}", path)]["get"]
        answer = described["responses"][str(status)]
        if "$ref" in answer:
            answer = OPENAPI["components"]["responses"]["Problem"]
        schema = answer["content"][response.mimetype]["schema"]
        if str(response.mimetype).endswith("json"):
            whole = {**schema, "components": OPENAPI["components"]}
            validator = Draft202012Validator(whole, format_checker=FormatChecker())
            validator.validate(response.get_json(force=True))
        return page

    def ask(self, path: str, *, status: int = 200, **query: str) -> dict[str, object]:
        found: dict[str, object] = self.get(path, status=status, **query).response.get_json(
            force=True
        )
        return found


MakeToken = Callable[..., str]


@pytest.fixture
def make_token(app: Flask) -> MakeToken:
    def make(area: int, *, days: int = 30, reads_answers: bool = False) -> str:
        plan = tokens.TokenPlan("省平台", (NOW + timedelta(days=days)).date(), reads_answers)
        with app.app_context(), transaction() as session:
            keys, place = app.extensions["minping"].keys, session.get_one(Area, area)
            return tokens.make_token(session, keys, place, plan, None, NOW)[1]

    return make


@pytest.fixture
def machine(app: Flask, here: Zone, make_token: MakeToken) -> Machine:
    return Machine(app, make_token(here.area))


@pytest.fixture
def answered(app: Flask, here: Zone) -> Zone:
    """Nine answer sheets: seven of the first town, two of the second, which is too few."""
    keys = app.extensions["minping"].keys
    with app.app_context(), transaction() as session:
        sheets = [answers()] * 6 + [answers(q1="unaware", q6="")]
        add_submissions(session, here.survey, here.towns[0], sheets, keys)
        add_submissions(session, here.survey, here.towns[1], [answers()] * 2, keys)
    return here


def acts(app: Flask) -> list[tuple[str, str, str, dict[str, object] | None]]:
    with app.app_context(), reading() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
        return [(each.actor, each.action, each.object, each.after) for each in entries]


def stored(app: Flask) -> list[ApiToken]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(ApiToken).order_by(ApiToken.id)))


# ---------------------------------------------------------------------------------------------
# The figures
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["area", "channel", "q1"])
def test_rates_are_those_of_the_command(
    by: str, machine: Machine, flask: Command, answered: Zone
) -> None:
    found = machine.ask(f"/surveys/{answered.survey}/rates", by=by)
    printed = flask("rates", answered.survey, "--by", by, "--json").stdout
    assert found == json.loads(printed)
    assert found["submissions"] == 9


def test_small_groups_are_withheld_here_too(machine: Machine, answered: Zone) -> None:
    found = machine.ask(f"/surveys/{answered.survey}/rates")
    awareness = found["measures"][0]  # type: ignore[index]
    assert [(each["status"], each["rate"] and each["rate"]["base"]) for each in awareness["groups"]]
    assert {each["status"] for each in awareness["groups"]} == {"suppressed", "nobody_answered"}
    assert (awareness["rates"][0]["value"], awareness["rates"][0]["percent"]) == ("8/9", "88.89")


def test_without_answers_there_is_no_rate(machine: Machine, here: Zone) -> None:
    found = machine.ask(f"/surveys/{here.survey}/rates")
    assert all(each["rates"] == [] for each in found["measures"])  # type: ignore[attr-defined]


def test_scores_are_those_of_the_command(machine: Machine, flask: Command, answered: Zone) -> None:
    found = machine.ask(f"/surveys/{answered.survey}/scores", rubric=RUBRIC)
    assert found == json.loads(flask("score", answered.survey, RUBRIC, "--json").stdout)
    assert machine.ask(f"/surveys/{answered.survey}/scores")["rubric"] == found["rubric"]


def test_the_module_scores_the_exported_feed_alike(
    machine: Machine,
    flask: Command,
    answered: Zone,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same score from the API, from `flask score`, and from the module on the feed."""
    page = machine.get(f"/surveys/{answered.survey}/feed", rubric=RUBRIC)
    feed = tmp_path / "feed.json"
    feed.write_bytes(page.response.get_data())
    assert scoring.main(["score", RUBRIC, str(feed), "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored == machine.ask(f"/surveys/{answered.survey}/scores", rubric=RUBRIC)
    assert scored == json.loads(flask("score", answered.survey, RUBRIC, "--json").stdout)


def test_the_feed_is_the_one_of_the_desk(
    machine: Machine, evaluator: Visitor, answered: Zone
) -> None:
    found = machine.ask(f"/surveys/{answered.survey}/feed", rubric=RUBRIC)
    page = evaluator.get(f"/desk/surveys/{answered.survey}/scores/{RUBRIC}/feed.json")
    shown = json.loads(page.body)
    assert found["measurements"] == shown["measurements"]
    assert found["measurements"]


def test_surveys_of_the_branch_are_listed_and_no_others(
    app: Flask, here: Zone, noise: Zone, machine: Machine, make_token: MakeToken
) -> None:
    mine = {each["survey"] for each in machine.ask("/surveys")["surveys"]}  # type: ignore[attr-defined]
    theirs = Machine(app, make_token(noise.area)).ask("/surveys")["surveys"]
    assert here.survey in mine
    assert [each["survey"] for each in theirs] == [noise.survey]  # type: ignore[attr-defined]
    assert Machine(app, make_token(here.towns[0])).ask("/surveys") == {"surveys": []}


# ---------------------------------------------------------------------------------------------
# Who may ask
# ---------------------------------------------------------------------------------------------

PARTS = ("rates", "feed", "scores")


@pytest.mark.parametrize("part", PARTS)
def test_another_branch_is_not_found(part: str, machine: Machine, noise: Zone) -> None:
    problem = machine.ask(f"/surveys/{noise.survey}/{part}", status=404)
    assert problem["status"] == 404
    assert "没有找到" in str(problem["detail"])


@pytest.mark.parametrize("token", [None, "", "minping_wrong", "Ω" * 9, "x" * 9000])
def test_without_a_token_nobody_reads(token: str | None, app: Flask, here: Zone) -> None:
    page = Machine(app, token and token.encode().decode("latin-1")).get(
        f"/surveys/{here.survey}/rates", status=401
    )
    assert page.response.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_of_the_desk_is_no_token(evaluator: Visitor, here: Zone) -> None:
    evaluator.get(f"/api/v1/surveys/{here.survey}/rates", status=401)


def test_a_token_is_no_session_of_the_desk(machine: Machine) -> None:
    assert machine.visitor.get("/desk/", status=303).location.startswith("/staff/sign-in")


def test_a_token_ends_on_its_day_and_when_it_is_revoked(
    app: Flask, here: Zone, make_token: MakeToken, flask: Command
) -> None:
    past, revoked = Machine(app, make_token(here.area)), Machine(app, make_token(here.area))
    first, second = stored(app)
    with app.app_context(), transaction() as session:
        session.get_one(ApiToken, first.id).expires_on = (NOW - timedelta(days=2)).date()
    revoked.get("/surveys")
    flask("tokens", "revoke", second.id)
    flask("tokens", "revoke", second.id, status=2)
    for each in (past, revoked):
        each.get("/surveys", status=401)


def test_only_a_keyed_hash_and_the_day_are_kept(
    app: Flask, here: Zone, make_token: MakeToken
) -> None:
    token = make_token(here.area)
    Machine(app, token).get("/surveys")
    assert token not in str(snapshot(app))
    (row,) = stored(app)
    assert row.last_used_on is not None
    assert abs(row.last_used_on - NOW.date()) <= timedelta(days=1)


def test_too_many_questions_wait(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ASKED_BY_TOKEN", type(limits.ASKED_BY_TOKEN)(2))
    for _ in range(2):
        machine.get("/surveys")
    page = machine.get("/surveys", status=429)
    assert 1 <= int(page.response.headers["Retry-After"]) <= 60


def test_a_network_that_guesses_tokens_waits(
    app: Flask, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WRONG_TOKENS", type(limits.WRONG_TOKENS)(2, 10))
    guessing = Machine(app, "minping_wrong")
    for each in (guessing, machine):
        each.visitor.client.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    for _ in range(2):
        guessing.get("/surveys", status=401)
    assert machine.get("/surveys", status=429).response.headers["Retry-After"]


# ---------------------------------------------------------------------------------------------
# What is asked wrongly, and what is on record
# ---------------------------------------------------------------------------------------------


def test_problems_say_why(machine: Machine, here: Zone) -> None:
    by = machine.ask(f"/surveys/{here.survey}/rates", status=400, by="nothing")
    assert "nothing" in str(by["detail"])
    machine.ask(f"/surveys/{here.survey}/scores", status=404, rubric="none")
    client = machine.visitor.client
    for response in (client.get("/api/v1/nothing"), client.post("/api/v1/surveys")):
        assert response.mimetype == "application/problem+json"
        assert response.get_json(force=True)["detail"]


def test_every_answer_is_on_record_with_its_token(
    app: Flask, machine: Machine, answered: Zone
) -> None:
    for part in PARTS:
        machine.get(f"/surveys/{answered.survey}/{part}")
    (token,) = stored(app)
    actor, survey = f"api token {token.id} 省平台", f"survey {answered.survey}"
    assert [each[:3] for each in acts(app)] == [
        (actor, "rates_exported", survey),
        (actor, "feed_downloaded", survey),
        (actor, "scores_exported", survey),
    ]


def test_every_route_is_described(app: Flask) -> None:
    rules = {
        re.sub(r"<any\((.*)\):form>", "{form}", rule.rule.removeprefix("/api/v1"))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
    }
    described = {re.sub(r"export\.\w+", "export.{form}", path) for path in OPENAPI["paths"]}
    assert {rule.replace("<id:survey_id>", "{survey}") for rule in rules} == described


def test_the_description_is_for_everybody(visitor: Visitor) -> None:
    page = visitor.get("/api/v1/openapi.json")
    assert json.loads(page.body)["openapi"] == "3.1.0"


# ---------------------------------------------------------------------------------------------
# Making and revoking
# ---------------------------------------------------------------------------------------------

TOKENS = "/desk/tokens/"


def test_an_administrator_makes_a_token_that_is_shown_once(
    app: Flask, administrator: Visitor, answered: Zone
) -> None:
    page = administrator.fill(
        TOKENS, action=TOKENS, name="省平台", area=str(answered.area), status=200
    )
    (token,) = TOKEN.findall(page.text)
    Machine(app, token).get(f"/surveys/{answered.survey}/rates")
    assert token not in administrator.get(TOKENS).body
    (made, _read) = acts(app)
    assert made[:2] == ("guanli", "token_made")
    assert token not in str(acts(app))
    administrator.fill(TOKENS, action=f"{TOKENS}{stored(app)[0].id}/revoke")
    Machine(app, token).get("/surveys", status=401)
    assert "撤销" in administrator.get(TOKENS).text
    assert acts(app)[-1][1] == "token_revoked"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "请写明给哪个系统用"),
        ({"expires_on": str((NOW + timedelta(days=400)).date())}, "最长一年"),
        ({"expires_on": str((NOW - timedelta(days=3)).date())}, "最长一年"),
        ({"expires_on": "明天"}, ""),
    ],
)
def test_a_token_asked_for_wrongly_is_not_made(
    changes: dict[str, str], sentence: str, app: Flask, administrator: Visitor, here: Zone
) -> None:
    filled = {"name": "省平台", "area": str(here.area), **changes}
    page = administrator.fill(TOKENS, action=TOKENS, status=422, **filled)
    assert sentence in page.errors
    assert stored(app) == []


def test_an_area_outside_ones_branch_cannot_be_given(
    app: Flask, administrator: Visitor, noise: Zone
) -> None:
    administrator.fill(TOKENS, action=TOKENS, name="x", area=str(noise.area), status=422)
    assert stored(app) == []


def test_tokens_of_another_branch_are_neither_seen_nor_revoked(
    app: Flask, administrator: Visitor, noise: Zone, make_token: MakeToken
) -> None:
    theirs = Machine(app, make_token(noise.area))
    assert "省平台" not in administrator.get(TOKENS).text
    sent = administrator.get(TOKENS).fields(TOKENS)
    administrator.post(f"{TOKENS}{stored(app)[0].id}/revoke", sent, status=404)
    theirs.get("/surveys")


def test_evaluators_make_no_token_and_auditors_see_them(
    evaluator: Visitor, auditor: Visitor
) -> None:
    evaluator.get(TOKENS, status=403)
    assert not auditor.get(TOKENS).html.all("form", action=TOKENS)


def test_tokens_by_command(app: Flask, flask: Command) -> None:
    token = flask("tokens", "add", "省平台", "北岸经济开发区", "--days", 7).stdout.split()[1]
    Machine(app, token).get("/surveys")
    listed = flask("tokens", "list").stdout
    assert "省平台" in listed
    assert token not in listed
    flask("tokens", "add", "省平台", "北岸经济开发区", "--days", 400, status=2)
    assert len(stored(app)) == 1
