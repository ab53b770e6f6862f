"""Every setting in one table: name, default, and what it is for (docs/operating.md prints it)."""

import contextlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from flask import current_app

PROJECT = Path(__file__).parent.parent
# Of any request, staff's too; the residents' is far smaller (app/respond/views.py).
LARGEST_BODY = 8 * 1024 * 1024

# Keys that installations from before them lack.
_ADDED = ("audit", "factor")
_Word = TypeVar("_Word", bound=StrEnum)


class Mode(StrEnum):
    """Whether demo accounts exist, and whether weak settings stop the start."""

    DEMO = "demo"
    PRODUCTION = "production"


class PasswordRules(StrEnum):
    """What a password must be: as 等保 asks, or as OWASP's ASVS does."""

    DJCP = "djcp"
    ASVS = "asvs"


class SecondFactor(StrEnum):
    """Whether administrators and evaluators must have one; others may in any case."""

    REQUIRED = "required"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable, with its default and its meaning."""

    name: str
    default: str
    help: str


SETTINGS = (
    Setting("DATABASE_URL", "", "Where answers are kept; empty: SQLite in the instance folder."),
    Setting("REDIS_URL", "", "Where several processes count limits together; empty: in memory."),
    Setting("MINPING_INSTANCE", "instance", "Folder for the SQLite file and the secret keys."),
    Setting(
        "MINPING_MODE", "production", "`demo` allows demo accounts; `production` refuses them."
    ),
    Setting("MINPING_BASE_URL", "http://127.0.0.1:8000", "Public address that QR codes lead to."),
    Setting("MINPING_SECRETS", "", "JSON file with the keys; empty: secrets.json in the instance."),
    Setting("MINPING_KEYS", "", "The keys themselves, as JSON; empty: they are in the file."),
    Setting("MINPING_FONT", "", "TrueType file with Chinese glyphs; empty: the bundled one."),
    Setting("TRUSTED_PROXIES", "0", "How many proxies in front set X-Forwarded-* headers."),
    Setting(
        "MINPING_SECOND_FACTOR",
        "required",
        "`required` of administrators and evaluators: a code from their phone at sign-in; `off`: "
        "only whoever wants one.",
    ),
    Setting(
        "MINPING_PASSWORD_RULES",
        "djcp",
        "`djcp`: complex, and changed every 180 days; `asvs`: none that is common, for ever.",
    ),
    Setting("MINPING_COOKIE_SECURE", "", "`1` or `0`; empty: 1 when the public address is https."),
)


class SettingError(ValueError):
    """A setting that cannot be used; the sentence names it and says what would do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that must never stand in the database.

    `card` derives card codes (a sheet can be printed again), `lookup` turns a code into the hash
    that is stored, `receipt` derives receipt codes, `session` signs forms and staff sessions,
    `audit` binds each row of the audit log to the one before it, `factor` derives the secrets of
    second factors and the hashes of recovery codes.
    """

    card: bytes = field(repr=False)
    lookup: bytes = field(repr=False)
    receipt: bytes = field(repr=False)
    session: bytes = field(repr=False)
    audit: bytes = field(repr=False)
    factor: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a key that could be guessed."""
        seen: dict[bytes, str] = {}
        for name in self.__slots__:
            key = getattr(self, name)
            if len(key) < 32:
                raise ValueError(f"the key “{name}” is shorter than 32 bytes")
            if _is_typed(key):
                raise ValueError(
                    f"the key “{name}” is not random; draw it by secrets.token_hex(32)"
                )
            if key in seen:
                raise ValueError(f"the keys “{seen[key]}” and “{name}” are the same")
            seen[key] = name


def _is_typed(key: bytes) -> bool:
    """Say whether a person made this key: a pattern, a count, or a text.

    Of 10^12 random keys of 32 bytes not one is refused.
    """
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    return len(set(key)) < 16 or len(steps) == 1 or (key.isascii() and key.decode().isprintable())


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, read once at the start."""

    database_url: str
    redis_url: str = field(repr=False)  # it may hold a password
    instance: Path
    mode: Mode
    base_url: str
    trusted_proxies: int
    cookie_secure: bool
    font: Path | None
    keys: Keys
    second_factor: SecondFactor
    password_rules: PasswordRules


def settings() -> Settings:
    """Return the settings of the running application."""
    found: Settings = current_app.extensions["minping"]
    return found


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment. Raises `SettingError` naming the setting that cannot be used."""
    values = os.environ if environ is None else environ
    chosen = {one.name: values.get(one.name) or one.default for one in SETTINGS}
    instance = PROJECT / chosen["MINPING_INSTANCE"]
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    base_url = chosen["MINPING_BASE_URL"].rstrip("/")
    if not base_url.startswith(("http://", "https://")):
        raise SettingError(f"MINPING_BASE_URL must start with http:// or https://, not {base_url}")
    redis_url = chosen["REDIS_URL"]
    if redis_url and not redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise SettingError("REDIS_URL must start with redis://, rediss:// or unix://")
    return Settings(
        database_url=chosen["DATABASE_URL"] or f"sqlite:///{instance / 'minping.sqlite3'}",
        redis_url=redis_url,
        instance=instance,
        mode=_word(Mode, "MINPING_MODE", chosen["MINPING_MODE"]),
        base_url=base_url,
        trusted_proxies=_count("TRUSTED_PROXIES", chosen["TRUSTED_PROXIES"]),
        cookie_secure=_switch(
            "MINPING_COOKIE_SECURE",
            chosen["MINPING_COOKIE_SECURE"],
            default=base_url.startswith("https://"),
        ),
        font=Path(chosen["MINPING_FONT"]) if chosen["MINPING_FONT"] else None,
        keys=_keys(chosen, instance),
        second_factor=_word(SecondFactor, "MINPING_SECOND_FACTOR", chosen["MINPING_SECOND_FACTOR"]),
        password_rules=_word(
            PasswordRules, "MINPING_PASSWORD_RULES", chosen["MINPING_PASSWORD_RULES"]
        ),
    )


def _keys(chosen: Mapping[str, str], instance: Path) -> Keys:
    if chosen["MINPING_KEYS"]:
        return _keys_given(chosen["MINPING_KEYS"], chosen["MINPING_SECRETS"])
    path = Path(chosen["MINPING_SECRETS"] or instance / "secrets.json")
    database = instance / "minping.sqlite3"
    if not chosen["DATABASE_URL"] and database.exists() and not path.exists():
        raise SettingError(
            f"{database} was made with keys that are gone, and new ones would make every printed "
            f"card unusable: bring {path} back (MINPING_SECRETS), or begin anew in another folder "
            f"(MINPING_INSTANCE)"
        )
    # A demo starts wherever it was unpacked.
    if chosen["MINPING_MODE"] != Mode.DEMO:
        _ensure_own_folder(path.resolve().parent)
    return read_keys(path)


def _keys_given(text: str, path: str) -> Keys:
    if path:
        raise SettingError("MINPING_KEYS and MINPING_SECRETS are both set; keep one of them")
    try:
        stored = json.loads(text)
        return Keys(**{name: bytes.fromhex(stored[name]) for name in Keys.__slots__})
    except KeyError as error:
        raise SettingError(f"MINPING_KEYS lacks the key {error}") from None
    except (ValueError, TypeError) as error:
        raise SettingError(
            f"MINPING_KEYS must hold what secrets.json does, JSON with a hexadecimal number of 32 "
            f"bytes for each key: {_without_text(error)}"
        ) from None


def _without_text(error: Exception) -> str:
    # A decoder's message may quote what it could not read: a key, perhaps.
    return type(error).__name__ if isinstance(error, json.JSONDecodeError) else str(error)


def read_keys(path: Path) -> Keys:
    """Read the keys, making them (mode 600) on the very first start.

    A file from before there was an audit log or a second factor gets the key for it added; no
    other key is ever made anew.
    Raises `SettingError` when the file is readable by others, is no JSON, or when a key is no
    hexadecimal number of at least 32 bytes or can be guessed.
    """
    if not path.exists():
        _make_keys(path)
    if path.stat().st_mode & 0o077:
        raise SettingError(f"{path} holds the secret keys and others may read it: chmod 600 {path}")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        missing = [name for name in _ADDED if name not in stored]
        found = {name: bytes.fromhex(stored[name]) for name in Keys.__slots__ if name in stored}
        keys = Keys(**{**found, **{name: _added_key(found, name) for name in missing}})
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{path} does not hold the keys as they were written: {error}") from None
    if missing:
        added = {name: getattr(keys, name).hex() for name in missing}
        _add_keys(path, {**stored, **added}, missing)
    return keys


def _ensure_own_folder(folder: Path) -> None:
    # Whoever may write in a folder may put another file in the place of ours. Above it the sticky
    # bit, as on /tmp, keeps others' folders from being replaced.
    for each in (folder, *folder.parents):
        mode = each.stat().st_mode if each.exists() else 0
        is_open = mode & stat.S_IWOTH and (each == folder or not mode & stat.S_ISVTX)
        if os.name == "posix" and is_open:
            raise SettingError(
                f"the secret keys are to lie in {folder}, and everybody may write in {each}: "
                f"chmod o-w {each}, or choose another folder (MINPING_SECRETS, MINPING_INSTANCE)"
            )


def _added_key(found: Mapping[str, bytes], name: str) -> bytes:
    # Derived and not drawn: of several processes that start at once on an older file all add the
    # same key, or one of them would write a chain that the others take for broken. From the keys
    # that were always there: whichever others are added, and when, makes no difference.
    first = sorted(set(Keys.__slots__) - set(_ADDED))
    return hmac.digest(b"".join(found[each] for each in first), name.encode(), "sha256")


def _add_keys(path: Path, stored: Mapping[str, str], names: Sequence[str]) -> None:
    whole = path.resolve()
    try:
        handle, draft = tempfile.mkstemp(dir=whole.parent)  # mode 600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(stored, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if hasattr(os, "chown"):  # a command run as root must not take the file from the server
            with contextlib.suppress(PermissionError):
                os.chown(draft, whole.stat().st_uid, whole.stat().st_gid)
        Path(draft).replace(whole)
    except OSError as error:
        raise SettingError(
            f"{path} lacks “{'”, “'.join(names)}” and cannot be written ({error}); start once as a "
            f"user who may write in {whole.parent}"
        ) from None


def _make_keys(path: Path) -> None:
    # Written whole under another name and then linked: of two processes that start at once one
    # makes the keys, and the other never reads half a file.
    handle, draft = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({name: secrets.token_hex(32) for name in Keys.__slots__}, file, indent=1)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    Path(draft).unlink()


def _word(kind: type[_Word], name: str, text: str) -> _Word:
    try:
        return kind(text)
    except ValueError:
        raise SettingError(f"{name} is “{text}”; use {' or '.join(kind)}") from None


def _count(name: str, text: str) -> int:
    if not text.isdecimal():
        raise SettingError(f"{name} is “{text}”; use a whole number from 0")
    return int(text)


def _switch(name: str, text: str, *, default: bool) -> bool:
    if text not in {"", "0", "1"}:
        raise SettingError(f"{name} is “{text}”; use 0 or 1")
    return default if text == "" else text == "1"
