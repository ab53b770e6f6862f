"""The commands that erase what is due and wipe the traces of order."""

import json
import sys
from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from app.access import record
from app.commands.common import explained
from app.db import reading, rewrite_files, transaction
from app.formats import date_of
from app.models import Evaluation
from app.services import accounts, audit, evaluation_acts, evidence_files, retention

group = AppGroup("retention", help="到期删除，打乱先后次序。")


@group.command("run")
@click.option("--dry-run", is_flag=True, help="只说会删什么，不删。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def run_retention(*, dry_run: bool, as_json: bool) -> None:
    """删除到期的文字回答、答题用时、佐证材料和旧的登录记录，再打乱先后次序；可以重复运行。"""
    now = datetime.now(UTC)
    with explained():
        erased = _due(now) if dry_run else _erase_due(now)
        evidence = _evidence_due(now) if dry_run else _erase_evidence(now)
        cleared = accounts.Cleared(0, 0) if dry_run else _clear_old(now)
        kept = 0 if dry_run else _mix(now)
    if as_json:
        shown = {
            "dry_run": dry_run,
            "erased": [{"survey": each.survey.id, **each.counts()} for each in erased],
            "evidence_erased": [{"evaluation": one.id, "files": count} for one, count in evidence],
            "staff_sessions_cleared": cleared.sessions,
            "sign_ins_cleared": cleared.sign_ins,
            "old_versions_kept": kept,
        }
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        click.echo(
            "\n".join(
                [
                    *(_erasure_line(each, dry_run=dry_run) for each in erased),
                    *(_evidence_line(*each, dry_run=dry_run) for each in evidence),
                ]
            )
            or "没有到期的内容。"
        )
        if cleared.sessions or cleared.sign_ins:
            click.echo(
                f"工作人员：清除旧会话 {cleared.sessions} 个，登录记录 {cleared.sign_ins} 条"
            )
        _say_kept(kept)
    sys.exit(1 if kept else 0)


@group.command("mix")
def run_mix() -> None:
    """打乱答卷和卡的先后次序，备份之前运行。"""
    with explained():
        kept = _mix(datetime.now(UTC))
    _say_kept(kept)
    sys.exit(1 if kept else 0)


def _clear_old(now: datetime) -> accounts.Cleared:
    with transaction() as session:
        return accounts.clear_old(session, now)


def _due(now: datetime) -> list[retention.Erasure]:
    with reading() as session:
        due = retention.load_due(session, date_of(now))
        return [retention.count_due(session, notice) for notice in due]


def _erase_due(now: datetime) -> list[retention.Erasure]:
    with reading() as session:
        due = retention.load_due(session, date_of(now))
    erased = []
    for notice in due:
        # One transaction each: whoever stops this in between has lost nothing that was done.
        with transaction() as session:
            done = retention.erase(session, notice, now)
            if done is not None:
                record(session, audit.texts_erased(audit.COMMAND_LINE, done.survey, done.counts()))
                erased.append(done)
    return erased


def _evidence_due(now: datetime) -> list[tuple[Evaluation, int]]:
    with reading() as session:
        return list(evidence_files.load_due(session, date_of(now)))


def _erase_evidence(now: datetime) -> list[tuple[Evaluation, int]]:
    erased = []
    for found, _count in _evidence_due(now):
        with transaction() as session:
            files = evidence_files.erase_evidence(session, found, now)
            if files is not None:
                act = evaluation_acts.evidence_erased(audit.COMMAND_LINE, found, files)
                record(session, act)
                erased.append((found, files))
    return erased


def _evidence_line(found: Evaluation, files: int, *, dry_run: bool) -> str:
    verb = "将删除" if dry_run else "已删除"
    return f"评价 {found.id}\t{found.name}：{verb}佐证材料 {files} 个"


def _mix(now: datetime) -> int:
    """Wipe the traces of order; return how many old versions of rows the files still hold."""
    with reading() as session:
        unmixed = retention.load_unmixed(session)
        uncleaned = retention.load_uncleaned(session)
    for survey in unmixed:
        with transaction() as session:
            retention.mix(session, survey)
    kept = rewrite_files(retention.TABLES)
    if uncleaned and not kept:
        with transaction() as session:
            retention.record_cleaned(session, uncleaned, now)
    return kept


def _erasure_line(erasure: retention.Erasure, *, dry_run: bool) -> str:
    verb = "将删除" if dry_run else "已删除"
    return (
        f"{erasure.survey.id}\t{erasure.survey.title}（说明第 {erasure.notice} 版）：{verb}文字"
        f" {erasure.texts} 条、答题用时 {erasure.durations} 条、小批次的批号 {erasure.batches} 条"
        f"、没有录完的纸质问卷 {erasure.slips} 份、卡片登记的去向和理由 {erasure.notes} 条"
    )


def _say_kept(kept: int) -> None:
    if kept:
        click.echo(
            f"文件里还有 {kept} 条旧内容，因为别的事务（如备份）没有结束。请等它结束后再运行。",
            err=True,
        )
    else:
        click.echo("答卷和卡的先后次序已打乱，文件里没有旧内容。")
