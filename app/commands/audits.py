"""The commands about the audit chain: its head, and whether it holds."""

import re
import sys
from typing import assert_never

import click
from flask.cli import AppGroup

from app.config import settings
from app.db import reading
from app.services import audit

group = AppGroup("audit", help="操作记录：核对、输出最后一条的编号和摘要。")


@group.command("head")
def show_audit_head() -> None:
    """输出最后一条记录的“编号:摘要”，抄在纸上，日后可查出末尾是否被删。"""
    with reading() as session:
        click.echo(str(audit.load_head(session)))


@group.command("verify")
@click.option("--expect", "noted", metavar="NUMBER:DIGEST", help="以前抄下的“编号:摘要”。")
def verify_audit(noted: str | None) -> None:
    """逐条核对操作记录，列出每一处删改；有问题时退出码为 1。"""
    expected = _noted_head(noted) if noted is not None else None
    with reading() as session:
        verdict = audit.verify_chain(session, settings().keys)
        is_kept = expected is None or audit.is_kept(session, expected)
    for fault in verdict.faults:
        click.echo(_fault_line(fault), err=True)
    if not is_kept and expected is not None:
        click.echo(f"第 {expected.number} 条：与抄下的摘要不符，或已不在", err=True)
    click.echo(f"共 {verdict.count} 条，最后一条 {verdict.head}")
    if verdict.faults or not is_kept:
        sys.exit(1)
    click.echo("记录完整，没有发现删改。")


def _noted_head(text: str) -> audit.Head:
    number, _colon, digest = text.strip().partition(":")
    is_number = bool(re.fullmatch(r"[0-9]{1,10}", number)) and int(number) < 2**31
    if not is_number or not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise click.BadParameter("请照 audit head 的输出填写“编号:摘要”。", param_hint="--expect")
    return audit.Head(int(number), digest.lower())


def _fault_line(fault: audit.Fault) -> str:
    match fault.kind:
        case audit.FaultKind.CHANGED:
            return f"第 {fault.number} 条：内容或摘要被改动"
        case audit.FaultKind.REORDERED:
            return f"第 {fault.number} 条：次序被调换，原是第 {fault.other} 条"
        case audit.FaultKind.MISSING:
            until = "" if fault.other == fault.number else f" 至第 {fault.other} 条"
            return f"第 {fault.number} 条{until}：缺少，其后一条因此无从核对"
        case _:
            assert_never(fault.kind)
