"""The commands about tokens for other systems: make, list, revoke."""

from datetime import UTC, datetime, timedelta

import click
from flask.cli import AppGroup

from app.access import record
from app.commands.common import explained
from app.config import settings
from app.db import reading, transaction
from app.formats import date_of
from app.services import areas, audit, tokens

group = AppGroup("tokens", help="接口令牌：制作、列出、撤销。")


@group.command("add")
@click.argument("name")
@click.argument("area")
@click.option("--days", default=90, show_default=True, help="有效几天，最多 365。")
@click.option("--answers", is_flag=True, help="还可以导出单份答卷。")
def add_token(name: str, area: str, days: int, answers: bool) -> None:
    """给一个系统制作只读的接口令牌，只显示这一次。"""
    now = datetime.now(UTC)
    with explained(), transaction() as session:
        place = areas.find_area_by_name(session, area)
        plan = tokens.TokenPlan(name, date_of(now) + timedelta(days=days), answers)
        made, token = tokens.make_token(session, settings().keys, place, plan, None, now)
        act = audit.token_changed(audit.COMMAND_LINE, audit.Action.TOKEN_MADE, made)
        record(session, act)
    click.echo(f"{made.id}\t{token}")


@group.command("list")
def list_tokens() -> None:
    """列出全部接口令牌；令牌本身不保存，不能再显示。"""
    with reading() as session:
        for token in tokens.load_tokens(session):
            state = "已撤销" if token.revoked_at else f"到 {token.expires_on}"
            used = token.last_used_on or "没有用过"
            click.echo(f"{token.id}\t{token.name}\t{token.area.name}\t{state}\t{used}")


@group.command("revoke")
@click.argument("token_id", type=int)
def revoke_token(token_id: int) -> None:
    """撤销一个接口令牌，马上失效，不能恢复。"""
    with explained(), transaction() as session:
        found = tokens.find_token(session, token_id)
        tokens.revoke_token(session, found, datetime.now(UTC))
        record(session, audit.token_changed(audit.COMMAND_LINE, audit.Action.TOKEN_REVOKED, found))
    click.echo(str(token_id))
