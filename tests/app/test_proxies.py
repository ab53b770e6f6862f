"""Whose word counts: addresses, hosts and headers that a request brings along."""

import base64
import hashlib
from pathlib import Path

import pytest
from flask import Flask, request

from app import headers, limits
from app.config import Mode
from tests.conftest import PASSWORD, House, StartApp, Visitor, Zone

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
REAL = "203.0.113.7"
FORWARDED = "X-Forwarded-For"


def address_seen(app: Flask, forwarded: str) -> str | None:
    """Return the address that a request with this header seems to come from."""
    seen: list[str | None] = []
    app.before_request(lambda: seen.append(request.remote_addr))
    app.test_client().get(
        "/healthz", headers={FORWARDED: forwarded}, environ_overrides={"REMOTE_ADDR": REAL}
    )
    (address,) = seen
    return address


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "198.51.100.1", REAL),
        (0, "127.0.0.1", REAL),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        (2, "127.0.0.1, 198.51.100.1, 198.51.100.2", "198.51.100.1"),
        (2, "198.51.100.1", REAL),
    ],
)
def test_as_many_addresses_are_believed_as_there_are_proxies(
    proxies: int, forwarded: str, address: str, start_app: StartApp
) -> None:
    assert address_seen(start_app(trusted_proxies=proxies), forwarded) == address


def test_a_forged_address_escapes_no_limit(
    start_app: StartApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = type(limits.FAILED_SIGN_INS)(3, 10)
    monkeypatch.setattr(limits, "FAILED_SIGN_INS", item)
    app, statuses = start_app(), []
    for number in range(4):
        visitor = Visitor(app)
        visitor.client.environ_base |= {
            "REMOTE_ADDR": REAL,
            "HTTP_X_FORWARDED_FOR": f"198.51.100.{number}",
        }
        fields = {**visitor.get("/staff/sign-in").fields(), "name": "anna", "password": PASSWORD}
        statuses.append(visitor.post("/staff/sign-in", fields, status=None).status)
    assert statuses == [422, 422, 422, 429]


@pytest.fixture
def production(start_app: StartApp) -> Flask:
    return start_app(mode=Mode.PRODUCTION, trusted_proxies=1)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("minping.example", 200),
        ("minping.example:443", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("evil.example", 400),
        ("www.minping.example", 400),
        ("minping.example.evil.example", 400),
        ("minping.example@evil.example", 400),
        ("minping.example:x", 400),
        ("203.0.113.7", 400),
    ],
)
@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host"])
def test_production_answers_to_its_own_name(
    header: str, host: str, status: int, production: Flask
) -> None:
    answer = production.test_client().get("/", headers={"Host": "127.0.0.1", header: host})
    assert answer.status_code == status
    if status == 400:
        assert "evil" not in answer.get_data(as_text=True)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_demo_answers_to_every_name(app: Flask) -> None:
    """Phones reach `make run HOST=0.0.0.0` by whatever address the machine has."""
    assert app.test_client().get("/", headers={"Host": "192.168.1.7:8000"}).status_code == 200


def test_links_come_from_the_public_address_alone(
    house: House, evaluator: Visitor, here: Zone
) -> None:
    evaluator.client.environ_base |= {"HTTP_HOST": "localhost", "HTTP_X_FORWARDED_HOST": "evil"}
    page = evaluator.get(f"/desk/surveys/{here.survey}")
    assert f"{house.settings.base_url}/p/{here.slug}" in page.body
    assert "evil" not in page.body


@pytest.mark.parametrize(
    "path",
    [
        "/staff/language/en?next=/desk/%0d%0aSet-Cookie:%20a=b",
        "/?code=0000000000000000%0d%0aSet-Cookie:%20a=b",
        "/staff/language/en?next=https://evil.example/",
        "/staff/language/en?next=//evil.example/",
    ],
)
def test_no_header_is_made_from_an_address(path: str, app: Flask) -> None:
    answer = app.test_client().get(path)
    assert not any(name == "Set-Cookie" and "a=b" in text for name, text in answer.headers)
    assert "evil" not in answer.headers.get("Location", "")


@pytest.mark.parametrize("path", ["/", "/staff/sign-in", "/nothing", "/static/none.css"])
def test_other_sites_share_no_window_and_load_nothing(path: str, app: Flask) -> None:
    answer = app.test_client().get(path)
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_residents_script_is_allowed_by_its_hash_alone(
    start_app: StartApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"style.css": "body{}\n", "page.js": "\nstart();\n"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(headers, "_RESIDENTS_FILES", tmp_path)
    made = (headers.resident_style, headers.resident_script, headers._residents)
    for each in made:
        each.cache_clear()
    policy = start_app().test_client().get("/").headers["Content-Security-Policy"]
    for each in made:
        each.cache_clear()
    digest = base64.b64encode(hashlib.sha256(b"start();").digest()).decode()
    assert f"script-src 'sha256-{digest}'; connect-src 'self'" in policy
