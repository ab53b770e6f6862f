"""Every address is on exactly one side, and nobody sees or changes another zone."""

from collections.abc import Iterator

import pytest
from flask import Blueprint, Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from app.access import _PUBLIC_ENDPOINTS, AUDIENCES, MACHINES, PUBLIC, Audience
from app.db import reading
from app.models import Role, Staff
from app.services import publishing
from tests.conftest import NOTICE_FIELDS, StartApp, Visitor, Zone, snapshot

RUBRIC = "beian-2020-public-health"
FOR_EVALUATORS = "desk"


def values(app: Flask, zone: Zone) -> dict[str, object]:
    """Return a value for every part of an address, so that it names something of this zone."""
    with app.app_context(), reading() as session:
        survey = publishing.find_survey(session, zone.survey)
        posters = publishing.load_posters(session, survey)
        poster = next(one.id for one in posters if one.area_id == zone.towns[0])
        theirs = Staff.area_id.in_([zone.area, *zone.towns])
        query = select(Staff.id).where(theirs, Staff.role == Role.FIELDWORKER).order_by(Staff.id)
        fieldworker = session.scalars(query).first()
    return {
        "survey_id": zone.survey,
        "batch_id": zone.batch,
        "poster_id": poster,
        "staff_id": fieldworker,
        "area_id": zone.towns[0],
        "import_id": 1,
        "rate_id": 1,
        "revision": 1,
        "check_id": 1,
        "reference": "none",
        "evaluation_id": zone.evaluation,
        "object_id": zone.scored,
        "file_id": zone.file,
        "indicator": "1",
        "token_id": 1,
        "serial": 1,
        "stored_id": zone.rubric,
        "book_form": "toml",
        "rubric_id": RUBRIC,
        "name": "beian-2020-fielded",
        "code": zone.codes[0],
        "slug": zone.slug,
        "receipt": "none",
        "language": "en",
        "filename": "staff.css",
        "form": "csv",
        "file_form": "csv",
    }


def addresses(app: Flask, zone: Zone, method: str) -> dict[str, str]:
    """Return an address in this zone for every endpoint that takes this method."""
    known = values(app, zone)
    made = {}
    with app.test_request_context():
        for rule in _rules(app, method):
            unknown = rule.arguments - known.keys()
            assert not unknown, f"{rule}: say in values() what {unknown} may be"
            given = {name: known[name] for name in rule.arguments}
            made[rule.endpoint] = app.url_for(rule.endpoint, **given)  # type: ignore[arg-type]
    return made


def _rules(app: Flask, method: str) -> Iterator[Rule]:
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and not rule.endpoint.endswith("static"):
            yield rule


def audience_of(endpoint: str) -> Audience:
    return AUDIENCES.get(endpoint.partition(".")[0], PUBLIC)


def staff_side(found: dict[str, str]) -> dict[str, str]:
    return {
        endpoint: path
        for endpoint, path in found.items()
        if all(audience_of(endpoint) is not other for other in (PUBLIC, MACHINES))
    }


def test_every_blueprint_has_an_audience_and_the_other_way_round(app: Flask) -> None:
    assert set(AUDIENCES) == set(app.blueprints)


def test_every_endpoint_is_on_exactly_one_side(app: Flask) -> None:
    alone = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] not in AUDIENCES
    }
    assert alone == _PUBLIC_ENDPOINTS


def test_no_audience_is_public_by_mistake() -> None:
    assert {name for name, roles in AUDIENCES.items() if roles is PUBLIC} == {
        "respond",
        "signin",
        "bootstrap",
        "api_description",
    }
    assert Role.FIELDWORKER not in AUDIENCES["desk"].reading


def test_a_blueprint_without_an_audience_is_refused(start_app: StartApp) -> None:
    app = start_app()
    forgotten = Blueprint("forgotten", __name__)
    forgotten.add_url_rule("/forgotten", "page", lambda: "secret")
    app.register_blueprint(forgotten)
    page = Visitor(app).get("/forgotten", status=403)
    assert "secret" not in page.body


def test_a_view_beside_all_blueprints_is_refused(start_app: StartApp) -> None:
    app = start_app()
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    Visitor(app).get("/forgotten", status=403)


# What leads on when there is nothing to do: no code is owed, no factor is set up, nobody asked yet,
# nothing to review or to check.
LEADS_ON = {"code.ask", "factor.recovery_codes", "interview.taken", "review.one", "field.check"}
# What is only there once something was sealed or answered.
NOT_YET = {"answers.export_seal", "respond.receipt", "respond.receipt_proof"}
UNUSUAL = {
    **dict.fromkeys(LEADS_ON, 303),
    **dict.fromkeys(NOT_YET, 404),
    # Answer sheets of an open survey are not handed out (tests/app/test_answer_export.py).
    "answers.export": 409,
}


def test_every_page_keeps_the_rules_of_the_house(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    """The door checks headers and HTML; here it only needs to be opened everywhere."""
    expected = {**UNUSUAL, "signin.choose_language": 303}
    for endpoint, path in addresses(app, here, "GET").items():
        if audience_of(endpoint) is MACHINES:
            expected[endpoint] = 401  # whoever is signed in has no token by that
        administrator.get(path, status=expected.get(endpoint, 200))


def test_every_page_is_whole_in_english(app: Flask, administrator: Visitor, here: Zone) -> None:
    for endpoint, path in staff_side(addresses(app, here, "GET")).items():
        administrator.get(path, status=UNUSUAL.get(endpoint, 200), lang="en")


@pytest.mark.parametrize("path", ["/static/staff.css", "/static/none.css", "/bootstrap/none"])
def test_files_carry_the_headers_too(path: str, visitor: Visitor) -> None:
    response = visitor.get(path, status=None).response
    response.close()
    assert response.status_code == (200 if path.endswith("staff.css") else 404)


def test_who_is_not_signed_in_sees_no_staff_page(app: Flask, visitor: Visitor, here: Zone) -> None:
    for path in staff_side(addresses(app, here, "GET")).values():
        assert visitor.get(path, status=303).location.startswith("/staff/sign-in?next=/")


def test_who_is_not_signed_in_changes_nothing(app: Flask, visitor: Visitor, here: Zone) -> None:
    before = snapshot(app)
    token = visitor.get("/staff/sign-in").fields()["csrf_token"]
    for path in staff_side(addresses(app, here, "POST")).values():
        page = visitor.post(path, {"csrf_token": token, "to": "closed"})
        assert page.location.startswith("/staff/sign-in")
    assert snapshot(app) == before


def of_blueprint(name: str, found: dict[str, str]) -> list[str]:
    return [path for endpoint, path in found.items() if endpoint.startswith(f"{name}.")]


def test_a_fieldworker_does_not_reach_the_desk(
    app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    for path in of_blueprint("desk", addresses(app, here, "GET")):
        assert "您的账号没有权限查看此页" in fieldworker.get(path, status=403).text


def test_a_fieldworker_changes_nothing_at_the_desk(
    app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    before, token = snapshot(app), csrf_token(fieldworker)
    for path in of_blueprint("desk", addresses(app, here, "POST")):
        fieldworker.post(path, {"csrf_token": token, "to": "closed"}, status=403)
    assert snapshot(app) == before


def test_a_fieldworker_reaches_the_field(app: Flask, fieldworker: Visitor, here: Zone) -> None:
    for name in ("field", "interview"):
        for endpoint, path in addresses(app, here, "GET").items():
            if endpoint.startswith(f"{name}."):
                fieldworker.get(path, status=UNUSUAL.get(endpoint, 200))


def csrf_token(visitor: Visitor) -> list[str]:
    return visitor.get("/field/").fields("/staff/sign-out")["csrf_token"]


NOT_BOUND = {
    "evaluations.home",
    "evaluations.new_evaluation",
    "evaluations.make_evaluation",
    "entries.home",
    "desk.home",
    "desk.audit_log",
    "desk.export_audit",
    "desk.new_survey",
    "desk.make_survey",
    "desk.questionnaire",
    "rubrics.home",
    "rubrics.template",
    "rubrics.upload",
    "rubrics.copy",
    "rubrics.keep",
    "rubrics.bundled",
    "rubrics.export_bundled",
    "rubrics.audit_home",
    "rubrics.audit_file",
    "rubrics.audit_form",
    "rubrics.audit_typed",
    "rubrics.export_findings",
    "field.home",
    "field.scan",
    "field.move_scanned",
}
# About oneself alone; and accounts, whose bounds tests/app/test_accounts_on_screen.py walks.
OWN = ("account.", "code.", "factor.", "admin.", "areas.", "tokens.")


def bound(app: Flask, zone: Zone, method: str) -> list[str]:
    found = staff_side(addresses(app, zone, method))
    return [
        path
        for endpoint, path in found.items()
        if endpoint not in NOT_BOUND and not endpoint.startswith(OWN)
    ]


def test_another_zone_is_not_found(app: Flask, outsider: Visitor, here: Zone) -> None:
    for path in bound(app, here, "GET"):
        outsider.get(path, status=404)


def test_a_fieldworker_of_another_zone_finds_nothing(
    app: Flask, outside_fieldworker: Visitor, here: Zone
) -> None:
    for path in of_blueprint("field", addresses(app, here, "GET")):
        is_own = path in {"/field/", "/field/scan"}
        outside_fieldworker.get(path, status=200 if is_own else 404)


def test_an_administrator_reaches_both_sides(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    for endpoint, path in staff_side(addresses(app, here, "GET")).items():
        administrator.get(path, status=UNUSUAL.get(endpoint, 200))


def test_another_zone_cannot_be_changed(app: Flask, outsider: Visitor, here: Zone) -> None:
    before, token = snapshot(app), csrf_token(outsider)
    sent = {"csrf_token": token, "to": "closed", "area": str(here.towns[0]), "size": "3"}
    for path in bound(app, here, "POST"):
        outsider.post(path, {**sent, "holder": "x"}, status=404)
    assert snapshot(app) == before


def test_a_poster_of_another_survey_is_not_found(
    app: Flask, outsider: Visitor, here: Zone, noise: Zone
) -> None:
    poster = values(app, here)["poster_id"]
    outsider.get(f"/desk/surveys/{noise.survey}/posters/{poster}.png", status=404)


@pytest.mark.parametrize("path", ["/desk/", "/field/"])
def test_lists_show_ones_own_zone_alone(path: str, outsider: Visitor, evaluator: Visitor) -> None:
    assert "噪声开发区" in outsider.get(path).text
    assert "北岸经济开发区" not in outsider.get(path).text
    assert "噪声" not in evaluator.get(path).text


def test_a_list_of_areas_offers_ones_own_zone_alone(evaluator: Visitor) -> None:
    text = evaluator.get("/desk/surveys/new").text
    assert "山亭镇" in text
    assert "噪声镇" not in text


def test_an_area_of_another_zone_cannot_be_chosen(
    app: Flask, evaluator: Visitor, noise: Zone
) -> None:
    before = snapshot(app)
    filled = {"title": "调查", **NOTICE_FIELDS, "area": str(noise.area)}
    evaluator.fill("/desk/surveys/new", status=422, **filled)
    assert snapshot(app) == before


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 10**40])
def test_a_number_that_names_nothing_is_not_found(
    number: int, app: Flask, administrator: Visitor, here: Zone
) -> None:
    numbers = dict.fromkeys(("survey_id", "batch_id", "serial", "staff_id"), number)
    known = {**values(app, here), **numbers}
    with app.test_request_context():
        for rule in _rules(app, "GET"):
            if rule.arguments & numbers.keys():
                given = {name: known[name] for name in rule.arguments}
                administrator.get(app.url_for(rule.endpoint, **given), status=404)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path", ["/desk/questionnaires/none", "/desk/surveys/{}/scores/none", "/desk/nothing"]
)
def test_what_is_not_there_is_not_found(path: str, evaluator: Visitor, here: Zone) -> None:
    evaluator.get(path.format(here.survey), status=404)


def test_staff_pages_are_kept_by_no_cache(app: Flask, evaluator: Visitor, here: Zone) -> None:
    for path in bound(app, here, "GET"):
        headers = evaluator.get(path, status=None).response.headers
        assert "no-store" in headers["Cache-Control"], path
