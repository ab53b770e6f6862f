"""The commands about staff accounts."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from app.access import record
from app.commands.common import explained
from app.db import reading, transaction
from app.formats import instant
from app.models import Role, Staff
from app.services import accounts, areas, audit, passwords, second_factor

group = AppGroup("staff", help="工作人员账号。")


@group.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--area", required=True, help="管辖片区的名称。")
def add_staff(name: str, role: str, area: str) -> None:
    """添加一个账号，输出一次性显示的初始密码。"""
    password = passwords.draw_password()
    password_hash = passwords.hash_password(password)
    with explained(), transaction() as session:
        place = areas.find_area_by_name(session, area)
        staff = accounts.add_staff(session, name, Role(role), place, password_hash)
        act = audit.staff_changed(audit.COMMAND_LINE, audit.Action.STAFF_ADDED, staff, None)
        record(session, act)
    click.echo(f"{name}\t{password}")


@group.command("list")
def list_staff() -> None:
    """列出全部账号。"""
    with reading() as session:
        for staff in accounts.load_staff(session):
            state = _account_state(staff, datetime.now(UTC))
            factor = "未设两步验证" if staff.factor_seed is None else "已设两步验证"
            click.echo(f"{staff.name}\t{staff.role}\t{staff.area.name}\t{state}\t{factor}")


_ACCOUNT_STATES = {
    accounts.AccountState.OPEN: "正常",
    accounts.AccountState.INITIAL: "待修改初始密码",
    accounts.AccountState.LOCKED: "锁定",
    accounts.AccountState.CLOSED: "已停用",
}


def _account_state(staff: Staff, now: datetime) -> str:
    state = accounts.state_of(staff, now)
    if state is accounts.AccountState.LOCKED and staff.locked_until is not None:
        return f"锁定到 {instant(staff.locked_until)}"
    return _ACCOUNT_STATES[state]


@contextmanager
def _changing(name: str, action: audit.Action) -> Iterator[tuple[Session, Staff]]:
    """Open the transaction of an act on one account, and put it on record at its end."""
    with explained(), transaction() as session:
        staff = accounts.find_staff(session, name)
        before = audit.staff_facts(staff)
        yield session, staff
        record(session, audit.staff_changed(audit.COMMAND_LINE, action, staff, before))


@group.command("close")
@click.argument("name")
def close_staff(name: str) -> None:
    """停用一个账号，退出其所有设备。"""
    with _changing(name, audit.Action.STAFF_CLOSED) as (session, staff):
        accounts.close_staff(session, staff, datetime.now(UTC))
    click.echo(name)


@group.command("unlock")
@click.argument("name")
def unlock_staff(name: str) -> None:
    """解除一个账号因多次输错密码的锁定。"""
    with _changing(name, audit.Action.STAFF_UNLOCKED) as (_session, staff):
        accounts.unlock_staff(staff)
    click.echo(name)


@group.command("reset")
@click.argument("name")
def reset_staff(name: str) -> None:
    """换一个初始密码（一次性显示），退出其所有设备。"""
    password = passwords.draw_password()
    password_hash = passwords.hash_password(password)
    with _changing(name, audit.Action.PASSWORD_RESET) as (session, staff):
        accounts.reset_password(session, staff, password_hash, datetime.now(UTC))
    click.echo(f"{name}\t{password}")


@group.command("reset-factor")
@click.argument("name")
def reset_factor(name: str) -> None:
    """取消一个账号的两步验证（手机和恢复码都丢了），退出其所有设备。"""
    with _changing(name, audit.Action.FACTOR_RESET) as (session, staff):
        second_factor.reset_factor(session, staff, datetime.now(UTC))
    click.echo(name)
