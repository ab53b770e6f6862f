"""Settings and secret keys: what cannot be used is named, and stops the start."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.config import (
    SETTINGS,
    Keys,
    Mode,
    PasswordRules,
    SecondFactor,
    SettingError,
    read_keys,
    read_settings,
)


def settings_of(folder: Path, **environ: str) -> object:
    return read_settings({"MINPING_INSTANCE": str(folder), **environ})


def test_without_an_environment_everything_is_safe(tmp_path: Path) -> None:
    read = read_settings({"MINPING_INSTANCE": str(tmp_path)})
    assert read.mode is Mode.PRODUCTION
    assert read.database_url == f"sqlite:///{tmp_path / 'minping.sqlite3'}"
    assert (read.trusted_proxies, read.cookie_secure, read.font) == (0, False, None)
    assert (read.second_factor, read.password_rules) == (SecondFactor.REQUIRED, PasswordRules.DJCP)


def test_the_environment_is_read(tmp_path: Path) -> None:
    read = read_settings(
        {
            "MINPING_INSTANCE": str(tmp_path),
            "DATABASE_URL": "postgresql+psycopg://db/minping",
            "MINPING_MODE": "demo",
            "MINPING_BASE_URL": "https://minping.example/",
            "MINPING_SECRETS": str(tmp_path / "other.json"),
            "MINPING_FONT": "/fonts/one.ttf",
            "TRUSTED_PROXIES": "2",
            "MINPING_SECOND_FACTOR": "off",
            "MINPING_PASSWORD_RULES": "asvs",
        }
    )
    assert read.database_url == "postgresql+psycopg://db/minping"
    assert (read.mode, read.base_url) == (Mode.DEMO, "https://minping.example")
    assert (read.trusted_proxies, read.font) == (2, Path("/fonts/one.ttf"))
    assert (read.second_factor, read.password_rules) == (SecondFactor.OFF, PasswordRules.ASVS)
    assert (tmp_path / "other.json").exists()


@pytest.mark.parametrize(
    ("address", "switch", "is_secure"),
    [
        ("https://minping.example", "", True),
        ("http://minping.example", "", False),
        ("http://minping.example", "1", True),
        ("https://minping.example", "0", False),
    ],
)
def test_cookies_are_secure_where_the_address_is(
    address: str, switch: str, is_secure: bool, tmp_path: Path
) -> None:
    environ = {"MINPING_BASE_URL": address, "MINPING_COOKIE_SECURE": switch}
    read = read_settings({"MINPING_INSTANCE": str(tmp_path), **environ})
    assert read.cookie_secure is is_secure


@pytest.mark.parametrize(
    "environ",
    [
        {"MINPING_MODE": "debug"},
        {"MINPING_BASE_URL": "minping.example"},
        {"MINPING_BASE_URL": "ftp://minping.example"},
        {"TRUSTED_PROXIES": "-1"},
        {"TRUSTED_PROXIES": "many"},
        {"MINPING_COOKIE_SECURE": "yes"},
        {"MINPING_SECOND_FACTOR": "on"},
        {"MINPING_PASSWORD_RULES": "nist"},
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_used_is_named(environ: Mapping[str, str], tmp_path: Path) -> None:
    ((name, value),) = environ.items()
    with pytest.raises(SettingError, match=name) as caught:
        settings_of(tmp_path, **environ)
    assert value in str(caught.value)


def test_every_setting_is_explained() -> None:
    assert all(one.help.endswith(".") for one in SETTINGS)
    assert len({one.name for one in SETTINGS}) == len(SETTINGS)


def test_the_first_start_makes_keys_that_only_the_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    keys = read_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    values = [getattr(keys, name) for name in Keys.__slots__]
    assert len(set(values)) == 6
    assert {len(value) for value in values} == {32}


def test_the_second_start_reads_the_same_keys(tmp_path: Path) -> None:
    assert read_keys(tmp_path / "secrets.json") == read_keys(tmp_path / "secrets.json")


def older_file(path: Path, *lacking: str) -> dict[str, str]:
    """Write the keys of an installation from before there was an audit log or a second factor."""
    read_keys(path)
    stored: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    for name in lacking or ("audit", "factor"):
        del stored[name]
    path.write_text(json.dumps(stored), encoding="utf-8")
    return stored


@pytest.mark.parametrize("lacking", [["audit", "factor"], ["factor"], ["audit"]], ids=str)
def test_an_older_file_gets_the_newer_keys_and_keeps_the_others(
    lacking: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "secrets.json"
    before = older_file(path, *lacking)
    keys = read_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secrets.json"]
    after = json.loads(path.read_text(encoding="utf-8"))
    assert after == {**before, **{name: getattr(keys, name).hex() for name in lacking}}
    assert len(set(after.values())) == 6
    assert read_keys(path) == keys


def test_processes_that_meet_an_older_file_agree_on_the_newer_keys(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    before = older_file(path)
    first = read_keys(path)
    path.write_text(json.dumps(before), encoding="utf-8")  # what the second one had read
    assert read_keys(path) == first


def test_in_which_order_keys_are_added_makes_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    before = older_file(path)
    first = read_keys(path)
    # An installation that got its audit key before there was a second factor.
    path.write_text(json.dumps({**before, "audit": first.audit.hex()}), encoding="utf-8")
    assert read_keys(path) == first


@pytest.mark.parametrize("name", ["card", "lookup", "receipt", "session"])
def test_no_other_key_is_made_anew(name: str, tmp_path: Path) -> None:
    """A new one would make printed cards unusable, and nobody would know why."""
    path = tmp_path / "secrets.json"
    stored = older_file(path)
    del stored[name]
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(SettingError, match=name):
        read_keys(path)
    assert json.loads(path.read_text(encoding="utf-8")) == stored


def test_two_installations_have_keys_of_their_own(tmp_path: Path) -> None:
    assert read_keys(tmp_path / "a.json") != read_keys(tmp_path / "b.json")


def test_keys_are_not_printed(tmp_path: Path) -> None:
    assert repr(read_keys(tmp_path / "secrets.json")) == "Keys()"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_keys_that_others_may_read_are_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    read_keys(path)
    path.chmod(mode)
    with pytest.raises(SettingError, match="chmod 600"):
        read_keys(path)


@pytest.mark.parametrize("name", Keys.__slots__)
@pytest.mark.parametrize("key", ["", "00" * 31])
def test_a_short_key_is_refused_by_name(name: str, key: str, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    read_keys(path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, name: key}), encoding="utf-8")
    with pytest.raises(SettingError, match=f"“{name}”"):
        read_keys(path)


GUESSABLE = {
    "one byte": "61" * 32,
    "a short pattern": "0123456789abcdef" * 4,
    "a count": bytes(range(32)).hex(),
    "a count downwards": bytes(range(255, 223, -1)).hex(),
    "a text": b"change me, please, before we start".hex(),
}


@pytest.mark.parametrize("key", GUESSABLE.values(), ids=GUESSABLE)
def test_a_key_that_can_be_guessed_is_refused_by_name(key: str, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    read_keys(path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, "receipt": key}), encoding="utf-8")
    with pytest.raises(SettingError, match="“receipt” is not random") as caught:
        read_keys(path)
    assert key not in str(caught.value)


def test_keys_that_are_the_same_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    read_keys(path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, "lookup": stored["card"]}), encoding="utf-8")
    with pytest.raises(SettingError, match="“card” and “lookup” are the same"):
        read_keys(path)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o703])
def test_keys_in_a_folder_that_everybody_may_change_are_refused(mode: int, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(SettingError, match="everybody may write"):
        read_settings({"MINPING_INSTANCE": str(folder)})
    assert not list(folder.iterdir())
    read_settings({"MINPING_INSTANCE": str(folder), "MINPING_MODE": "demo"})


def test_keys_below_a_folder_that_everybody_may_change_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    (folder / "mine").mkdir(parents=True, mode=0o700)
    folder.chmod(0o777)
    settings = {"MINPING_INSTANCE": str(folder / "mine")}
    with pytest.raises(SettingError, match=f"chmod o-w {folder},"):
        read_settings(settings)
    folder.chmod(0o1777)  # as /tmp: nobody can put another folder in the place of ours
    read_settings(settings)


def test_keys_may_come_from_the_environment(tmp_path: Path) -> None:
    keys = read_keys(tmp_path / "elsewhere.json")
    text = (tmp_path / "elsewhere.json").read_text(encoding="utf-8")
    folder = tmp_path / "instance"
    read = read_settings({"MINPING_INSTANCE": str(folder), "MINPING_KEYS": text})
    assert read.keys == keys
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "JSON"), ("{}", "'card'"), ('{"card": "zz"}', "hexadecimal"), ("[]", "JSON")],
)
def test_keys_of_the_environment_that_cannot_be_used_are_named(
    text: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=f"MINPING_KEYS.*{reason}"):
        settings_of(tmp_path, MINPING_KEYS=text)


def test_a_short_key_of_the_environment_is_refused_and_not_shown(tmp_path: Path) -> None:
    read_keys(tmp_path / "secrets.json")
    stored = json.loads((tmp_path / "secrets.json").read_text(encoding="utf-8"))
    text = json.dumps({**stored, "session": "abcdef"})
    with pytest.raises(SettingError, match="“session” is shorter than 32 bytes") as caught:
        settings_of(tmp_path, MINPING_KEYS=text)
    assert "abcdef" not in str(caught.value)


def test_keys_from_two_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="both set"):
        settings_of(tmp_path, MINPING_KEYS="{}", MINPING_SECRETS=str(tmp_path / "other.json"))


def test_a_database_whose_keys_are_gone_stops_the_start(tmp_path: Path) -> None:
    """New keys would make every printed card unusable, and nobody would know why."""
    settings_of(tmp_path)
    (tmp_path / "minping.sqlite3").touch()
    settings_of(tmp_path)
    (tmp_path / "secrets.json").unlink()
    with pytest.raises(SettingError, match=r"secrets\.json back"):
        settings_of(tmp_path)
    assert not (tmp_path / "secrets.json").exists()


def test_a_redis_address_that_is_none_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="REDIS_URL") as caught:
        settings_of(tmp_path, REDIS_URL="http://:word@127.0.0.1")
    assert "word" not in str(caught.value)


def test_the_redis_password_is_not_printed(tmp_path: Path) -> None:
    assert "geheim" not in repr(settings_of(tmp_path, REDIS_URL="redis://:geheim@127.0.0.1"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"card": "not hexadecimal"}', '{"card": 3}'])
def test_a_spoilt_key_file_is_refused_by_name(content: str, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingError, match=r"secrets\.json"):
        read_keys(path)
