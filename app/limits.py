"""Limits against floods, made so that they lock out no village behind one address.

A valid, unused card meets no limit: it is never counted and never refused. Wrong codes are only
slowed. What is refused comes back with nothing lost and with the time of the next try. Addresses
and devices are kept as keyed hashes that die with their counter, in memory or in Redis, never in
the database or the log.
"""

import hmac
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address
from threading import BoundedSemaphore, Lock, Timer
from time import monotonic, sleep, time
from typing import TypeVar

from flask import Flask, Response, current_app, request
from flask_babel import gettext as _
from itsdangerous import BadSignature, TimestampSigner
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.config import Settings, settings
from app.errors import TooMany
from app.formats import instant

# The one table of numbers.
# Wrong codes and receipts of the whole server: people mistype, and scan cards that are spent, but
# hundreds of honest cards in an hour give a few of them in a minute.
WRONG_CODES = RateLimitItemPerMinute(60, namespace="wrong")
# Answer sheets through one poster. By phone: a family shares one, and a village doctor lends
# theirs to those who have none. By network: a hall full of people, one a second.
SENT_BY_DEVICE = RateLimitItemPerDay(60, namespace="device")
SENT_FROM_NETWORK = RateLimitItemPerMinute(600, 10, namespace="network")
# An office shares an address too, but does not mistype this often.
FAILED_SIGN_INS = RateLimitItemPerMinute(50, 10, namespace="sign-in")
# A machine asks for results, which are computed each time; a token that is wrong is not mistyped.
ASKED_BY_TOKEN = RateLimitItemPerMinute(60, namespace="api")
WRONG_TOKENS = RateLimitItemPerMinute(50, 10, namespace="api-wrong")
# Of 16 threads so many may hold a wrong code's answer back, each for so long (seconds).
_MOST_WAITING = 4
_DELAY = 1.0
# Redis on another machine answers within a millisecond; nobody waits longer than this (seconds).
_REDIS_TIMEOUT = 0.2
_MINUTE = 60.0

_DAY = 24 * 60 * 60
_COOKIE = "device"
_Answer = TypeVar("_Answer")
_log = logging.getLogger(__name__)


class Counters:
    """The counters of one application. While their store is away, everything is allowed."""

    def __init__(self, settings: Settings) -> None:
        self._secret = hmac.digest(settings.keys.session, b"limits", "sha256")
        self.storage = _storage(settings.redis_url, self._secret)
        self._limiter = FixedWindowRateLimiter(self.storage)
        self._lock = Lock()
        self._away_until = 0.0
        self._wrong_codes = 0
        self.waiting = BoundedSemaphore(_MOST_WAITING)

    def count(self, item: RateLimitItem, *who: str) -> bool:
        """Count one more, and say whether it is within the limit."""
        name = self._name(who)
        return self._ask(lambda: self._limiter.hit(item, name), otherwise=True)

    def is_reached(self, item: RateLimitItem, *who: str) -> bool:
        """Say whether the next one would be beyond the limit."""
        name = self._name(who)
        return self._ask(lambda: not self._limiter.test(item, name), otherwise=False)

    def seconds_left(self, item: RateLimitItem, *who: str) -> int:
        """Return after how many seconds the counter begins anew, at least 1."""
        name = self._name(who)
        reset = self._ask(lambda: self._limiter.get_window_stats(item, name)[0], otherwise=0.0)
        return max(1, round(reset - time()))

    def note_wrong_code(self) -> None:
        """Let the log say once a minute how many wrong codes came."""
        with self._lock:
            self._wrong_codes += 1
            if self._wrong_codes > 1:
                return
        report = Timer(_MINUTE, self._report)
        report.daemon = True
        report.start()

    def _report(self) -> None:
        with self._lock:
            found, self._wrong_codes = self._wrong_codes, 0
        _log.warning("%d wrong card codes or receipts within a minute", found)

    def _name(self, who: tuple[str, ...]) -> str:
        return hmac.digest(self._secret, "\0".join(who).encode(), "sha256").hex()[:32]

    def _ask(self, question: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        # A store that is away is asked again after a minute: nobody waits for it meanwhile, and
        # the log has one line a minute.
        if monotonic() < self._away_until:
            return otherwise
        try:
            return question()
        except StorageError as error:
            with self._lock:
                is_known = monotonic() < self._away_until
                self._away_until = monotonic() + _MINUTE
            if not is_known:
                reason = error.storage_error
                _log.error("Redis is away, nothing is limited for a minute: %s", reason)
            return otherwise


def _storage(redis_url: str, secret: bytes) -> MemoryStorage | RedisStorage:
    if not redis_url:
        return MemoryStorage()
    pool = ConnectionPool.from_url(
        redis_url,
        socket_timeout=_REDIS_TIMEOUT,
        socket_connect_timeout=_REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 1),
    )
    # Several installations may share one Redis.
    prefix = f"minping:{sha256(secret).hexdigest()[:8]}"
    return RedisStorage(redis_url, connection_pool=pool, key_prefix=prefix, wrap_exceptions=True)


def init_app(app: Flask) -> None:
    """Count for this application, and limit failed sign-ins by network."""
    app.extensions["limits"] = Counters(app.extensions["minping"])
    app.before_request(_limit_sign_ins)
    app.after_request(_count_failed_sign_in)


def counters() -> Counters:
    """Return the counters of the running application."""
    found: Counters = current_app.extensions["limits"]
    return found


def slow_wrong_code() -> None:
    """Count a wrong code; beyond the rate hold its answer back, in a bounded number of threads."""
    found = counters()
    found.note_wrong_code()
    if found.count(WRONG_CODES) or not found.waiting.acquire(blocking=False):
        return
    try:
        sleep(_DELAY)
    finally:
        found.waiting.release()


def find_device(slug: str) -> str:
    """Return the random number of this phone at this poster: from its cookie, or a new one."""
    try:
        return _signer(slug).unsign(request.cookies.get(_COOKIE, ""), max_age=_DAY).decode()
    except BadSignature:
        return secrets.token_hex(16)


def set_device(response: Response, slug: str, device: str) -> None:
    """Let the phone remember its number for a day, and show it to this poster's address alone."""
    response.set_cookie(
        _COOKIE,
        _signer(slug).sign(device).decode(),
        max_age=_DAY,
        path=request.path,
        httponly=True,
        secure=settings().cookie_secure,
        samesite="Lax",
    )


def _signer(slug: str) -> TimestampSigner:
    return TimestampSigner(settings().keys.session, salt=f"device:{slug}", digest_method=sha256)


def admit_sending(slug: str, device: str) -> None:
    """Count one answer sheet through this poster. Raises `TooMany`."""
    whose: list[tuple[RateLimitItem, tuple[str, str]]] = [(SENT_BY_DEVICE, (slug, device))]
    if (network := _network()) is not None:
        whose.append((SENT_FROM_NETWORK, (slug, network)))
    for item, who in whose:
        if not counters().count(item, *who):
            wait = counters().seconds_left(item, *who)
            sentence = _(
                "从这部手机或这个网络提交的答卷太多，这一份还没有存上，您的选择都还在。"
                "请在 %(when)s 以后再点一次“提交”。",
                when=_when(wait),
            )
            raise TooMany(sentence, wait)


def admit_asking(token_id: int) -> None:
    """Count one question of a machine. Raises `TooMany`."""
    if not counters().count(ASKED_BY_TOKEN, str(token_id)):
        _refuse_machine(counters().seconds_left(ASKED_BY_TOKEN, str(token_id)))


def admit_token() -> None:
    """Refuse a network from which too many wrong tokens came. Raises `TooMany`."""
    network = _network()
    if network and counters().is_reached(WRONG_TOKENS, network):
        _refuse_machine(counters().seconds_left(WRONG_TOKENS, network))


def count_wrong_token() -> None:
    """Count a token that is none."""
    network = _network()
    if network:
        counters().count(WRONG_TOKENS, network)


def _refuse_machine(wait: int) -> None:
    raise TooMany(_("请求太多，请在 %(seconds)s 秒以后再试。", seconds=wait), wait)


def _limit_sign_ins() -> None:
    network = _network()
    if _is_sign_in() and network and counters().is_reached(FAILED_SIGN_INS, network):
        wait = counters().seconds_left(FAILED_SIGN_INS, network)
        sentence = _("从这个网络登录失败的次数太多，请在 %(when)s 以后再试。", when=_when(wait))
        raise TooMany(sentence, wait)


def _count_failed_sign_in(response: Response) -> Response:
    network = _network()
    if _is_sign_in() and network and response.status_code == 422:
        counters().count(FAILED_SIGN_INS, network)
    return response


def _is_sign_in() -> bool:
    # Every form of signing in counts, a second step too; only signing out cannot be tried out.
    is_form = request.blueprint == "signin" and request.method == "POST"
    return is_form and request.endpoint != "signin.sign_out"


def _when(seconds: int) -> str:
    # Shown to the minute, so one is added: the time that is named is never too early.
    return instant(datetime.now(UTC) + timedelta(seconds=seconds + 60))


def _network() -> str | None:
    """Return whose network this is: the address, in IPv6 the /64 that one household has.

    The machine itself is nobody's: a proxy that `TRUSTED_PROXIES` does not count would make one
    network of everybody.
    """
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return None
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), 64), strict=False))
    return str(address)
