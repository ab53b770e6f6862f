"""What went wrong on our side carries a reference, on the page and in the log, and no trace."""

import re
from typing import NoReturn

import pytest
from flask import Flask

from app.errors import Unavailable
from tests.conftest import Page, StartApp, Visitor

AWAY = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
pytestmark = on_sqlite


def fail(**_arguments: object) -> NoReturn:
    raise RuntimeError("nobody expected this")


@pytest.fixture
def broken(start_app: StartApp) -> Flask:
    """The application with one residents' page and one staff page that fail."""
    app = start_app()
    app.testing = False
    app.view_functions["respond.start"] = app.view_functions["signin.sign_in"] = fail
    return app


def reference(page: Page) -> str:
    (found,) = re.findall(r"参考号(?:（reference）)?： ?([0-9a-f]{8})\b", page.text)
    return str(found)


@pytest.mark.parametrize("path", ["/", "/staff/sign-in"])
def test_a_failure_shows_the_reference_that_is_in_the_log(
    path: str, broken: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    page = Visitor(broken).get(path, status=500)
    (record,) = [each for each in caplog.records if f"[{reference(page)}]" in each.getMessage()]
    assert record.exc_info is not None
    assert "nobody expected this" in str(record.exc_info[1])
    assert "nobody expected this" not in page.body
    assert "Traceback" not in page.body


def test_every_failure_has_a_reference_of_its_own(broken: Flask) -> None:
    assert len({reference(Visitor(broken).get("/", status=500)) for _ in range(5)}) == 5


def test_the_page_of_a_failure_needs_no_template(
    broken: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broken, "jinja_env", None)
    assert len(reference(Visitor(broken).get("/", status=500))) == 8


@pytest.mark.parametrize("header", ["X-Request-ID", "X-Correlation-ID", "Traceparent"])
def test_a_reference_is_never_somebody_elses_words(
    header: str, broken: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    response = broken.test_client().get("/", headers={header: "deadbeef<script>"})
    assert response.status_code == 500
    assert "deadbeef" not in response.get_data(as_text=True) + caplog.text


@pytest.mark.parametrize("path", ["/s/1", "/p/1", "/readyz"])
def test_a_database_that_is_away_shows_the_reference_that_is_in_the_log(
    path: str, start_app: StartApp, caplog: pytest.LogCaptureFixture
) -> None:
    page = Visitor(start_app(database_url=AWAY)).get(path, status=503)
    assert f"[{reference(page)}] database: " in caplog.text


def test_a_busy_system_shows_the_reference_that_is_in_the_log(
    start_app: StartApp, caplog: pytest.LogCaptureFixture
) -> None:
    app = start_app()

    def be_busy() -> NoReturn:
        raise Unavailable

    app.view_functions["signin.sign_in"] = be_busy
    page = Visitor(app).get("/staff/sign-in", status=503)
    assert f"[{reference(page)}] Unavailable" in caplog.text
    assert page.response.headers["Retry-After"] == "10"


def test_an_expected_refusal_shows_none(visitor: Visitor) -> None:
    assert "参考号" not in visitor.get("/s/1", status=404).text


@pytest.mark.parametrize("path", ["/desk/nothing", "/field/nothing", "/staff/nothing"])
def test_a_staff_page_that_is_not_there_leads_back_to_the_staff_pages(
    path: str, visitor: Visitor
) -> None:
    page = visitor.get(path, status=404, lang="en")
    links = [each.attributes["href"] for each in page.html.all("a")]
    assert "/staff/account/" in links
    assert "Back to the staff pages" in page.text


@pytest.mark.parametrize("path", ["/", "/s/1", "/staff/sign-in", "/desk/", "/api/v1/surveys"])
def test_an_address_that_is_no_utf_8_is_refused_and_no_failure(path: str, visitor: Visitor) -> None:
    """Clients may send raw bytes after the question mark, and the framework fails at them."""
    unreadable = {"QUERY_STRING": "code=\xff\xfe"}
    assert visitor.client.get(path, environ_overrides=unreadable).status_code == 400
