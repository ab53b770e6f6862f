"""The commands that run the product and say how it is set up."""

import socket
import sys
from urllib.parse import urlsplit

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.orm import Session
from waitress import serve as serve_forever

from app.commands.common import explained
from app.commands.demo import demo_lines
from app.config import LARGEST_BODY, Mode, Settings, settings
from app.db import current_engine, journal_settings, reading, sqlite_version
from app.limits import counters
from app.services import drawing


@click.command("serve")
@with_appcontext
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=int)
@click.option("--threads", default=16, show_default=True, type=int)
@click.option(
    "--timeout",
    default=30,
    show_default=True,
    type=click.IntRange(min=1),
    help="几秒没有动静就断开。",
)
def serve(host: str, port: int, threads: int, timeout: int) -> None:
    """用正式服务器（waitress）提供服务。"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            click.echo(
                f"端口 {port} 不能用（{error.strerror}）。换一个：make run PORT={port + 1}\n"
                f"Port {port} cannot be used. Choose another: make run PORT={port + 1}",
                err=True,
            )
            sys.exit(2)
    if settings().mode is Mode.DEMO:
        click.echo("\n".join(demo_lines()))
    # Tuned against slow senders (SECURITY.md): with the defaults 150 of them starve everyone, and
    # 2000 could hold a gigabyte of unread heads and bodies. A resident's body fits in memory.
    serve_forever(
        current_app._get_current_object(),  # type: ignore[attr-defined]  # noqa: SLF001 - documented by Flask
        host=host,
        port=port,
        threads=threads,
        connection_limit=2000,
        channel_timeout=timeout,
        cleanup_interval=timeout,
        max_request_header_size=16 * 1024,
        inbuf_overflow=64 * 1024,
        max_request_body_size=LARGEST_BODY,
        # waitress drops X-Forwarded-* by default; behind trusted proxies ProxyFix reads them.
        clear_untrusted_proxy_headers=settings().trusted_proxies == 0,
        ident=None,
    )


@click.command("doctor")
@with_appcontext
def doctor() -> None:
    """检查数据库、字体和密钥，报告正在使用的设置，提醒不安全的搭配。"""
    with reading() as session:
        click.echo(f"数据库 {current_engine().dialect.name}{_database_details(session)}")
    with explained():
        click.echo(f"字体 {drawing.font_path()}")
    click.echo(f"模式 {settings().mode}，公共地址 {settings().base_url}")
    click.echo(f"限流计数 {_counting()}")
    for warning in _warnings(settings()):
        click.echo(f"注意：{warning}")


def _counting() -> str:
    if not settings().redis_url:
        return "在内存中（各进程分别计数）"
    return "在 Redis" if counters().storage.check() else "在 Redis，但现在连不上，因此不限流"


def _warnings(settings: Settings) -> list[str]:
    address = urlsplit(settings.base_url)
    is_here = address.hostname in {"localhost", "127.0.0.1", "::1"}
    is_demo = settings.mode is Mode.DEMO
    found = (
        (
            is_demo and not is_here,
            "演示账号的密码是公开的；正式使用请设 MINPING_MODE=production。",
        ),
        (
            not is_demo and not is_here and address.scheme == "http",
            "公共地址不是 https，密码和答卷可被旁人看到；请设 MINPING_BASE_URL=https://…。",
        ),
        (
            address.scheme == "https" and settings.trusted_proxies == 0,
            "https 由前面的代理提供，但 TRUSTED_PROXIES=0，因此不能按网络限流；请设为代理的层数。",
        ),
        (
            address.scheme == "https" and not settings.cookie_secure,
            "公共地址是 https，MINPING_COOKIE_SECURE=0 却让登录凭证也经 http 发送；请删去它。",
        ),
    )
    return [sentence for applies, sentence in found if applies]


def _database_details(session: Session) -> str:
    if current_engine().dialect.name != "sqlite":
        return ""
    version = ".".join(map(str, sqlite_version()))
    journal, synchronous = journal_settings(sqlite_version())
    found = session.connection().exec_driver_sql("PRAGMA journal_mode").scalar_one()
    return f" {version}，journal_mode={found}（应为 {journal}），synchronous={synchronous}"
