"""The commands about seals: make one, hand it out, and find out whether it holds."""

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from app.access import record
from app.commands.common import explained
from app.config import settings
from app.db import reading, transaction
from app.errors import NotFound
from app.formats import instant
from app.models import Seal, Survey
from app.services import audit, publishing, sealing, seals
from app.services.bundles import LARGEST, NotABundle

group = AppGroup("seal", help="封存：封存一次调查，导出，核对。")


@group.command("make")
@click.argument("survey_id", metavar="SURVEY", type=int)
@click.option("--reason", default="", help="更正的理由，第一次封存不用写。")
def make(survey_id: int, reason: str) -> None:
    """封存一次已结束的调查，输出摘要。"""
    with explained(), transaction() as session:
        survey = publishing.find_survey(session, survey_id)
        head = audit.load_head(session)
        order = sealing.Sealing(audit.COMMAND_LINE, datetime.now(UTC), head, reason.strip())
        made = sealing.seal_survey(session, survey, order, settings().keys)
        record(session, audit.survey_sealed(audit.COMMAND_LINE, survey, made))
    click.echo(f"{made.revision}\t{made.digest}")


@group.command("list")
@click.argument("survey_id", metavar="SURVEY", type=int)
def list_seals(survey_id: int) -> None:
    """列出一次调查的封存，最新的在前。"""
    with explained(), reading() as session:
        for each in seals.load_seals(session, publishing.find_survey(session, survey_id)):
            click.echo(f"{each.revision}\t{each.digest}\t{instant(each.at)}\t{each.reason}")


@group.command("export")
@click.argument("survey_id", metavar="SURVEY", type=int)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--revision", type=int, help="第几版；不写为最新一版。")
def export(survey_id: int, file: Path, revision: int | None) -> None:
    """把封存文件写到 FILE。"""
    with explained(), transaction() as session:
        survey = publishing.find_survey(session, survey_id)
        found = _find(session, survey, revision)
        record(session, audit.seal_exported(audit.COMMAND_LINE, survey, found))
        file.write_bytes(found.bundle)
    click.echo(f"{found.revision}\t{found.digest}")


def _find(session: Session, survey: Survey, revision: int | None) -> Seal:
    last = seals.load_last_seal(session, survey.id)
    if last is None:
        raise NotFound
    return seals.load_bundle(session, survey, revision or last.revision)


@group.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--expect", "noted", metavar="DIGEST", help="报告里引用的封存摘要。")
@click.option(
    "--receipt",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="回执页下载的证明，核对这份答卷是否在封存之内。",
)
def verify(file: Path, noted: str | None, receipt: Path | None) -> None:
    """核对封存文件：每个字节、哈希树、按答卷重算的比率；不用数据库，不用联网。

    有不符时逐条列出，退出码为 1。
    """
    if file.stat().st_size > LARGEST:
        raise click.UsageError(f"文件超过 {LARGEST // 2**20} MB，不是封存文件。")
    try:
        bundle, differences = sealing.verify(file.read_bytes())
    except NotABundle as refusal:
        click.echo(f"{file.name}：{refusal.what}", err=True)
        sys.exit(1)
    failed = bool(differences)
    for difference in differences:
        click.echo(f"{difference.place}：{difference.what}", err=True)
    if noted is not None and not re.fullmatch(r"[0-9a-f]{64}", noted.strip().lower()):
        raise click.BadParameter("封存摘要是 64 位十六进制数。", param_hint="--expect")
    if noted is not None and noted.strip().lower() != bundle.digest:
        click.echo("封存摘要与报告引用的不同，不是同一次封存。", err=True)
        failed = True
    if receipt is not None and not _is_included(receipt, bundle.manifest["root"]):
        click.echo("这份回执不在本次封存之内。", err=True)
        failed = True
    click.echo(f"封存摘要 {bundle.digest}")
    if failed:
        sys.exit(1)
    manifest = bundle.manifest
    click.echo(f"{manifest['survey']['title']}，封存第 {manifest['revision']} 版")
    click.echo(f"答卷 {manifest['submissions']} 份，计入 {manifest['counted']} 份")
    click.echo("核对无误，没有发现改动。")


def _is_included(receipt: Path, root: str) -> bool:
    try:
        return seals.leads_to(json.loads(receipt.read_text(encoding="utf-8")), root)
    except (ValueError, KeyError, TypeError, OSError):
        raise click.BadParameter("不是回执页下载的证明文件。", param_hint="--receipt") from None


@group.command("check")
@click.argument("survey_id", metavar="SURVEY", type=int)
def check(survey_id: int) -> None:
    """核对数据库里的答卷是否仍与最新一次封存相同；不同时退出码为 1。"""
    with explained(), reading() as session:
        survey = publishing.find_survey(session, survey_id)
        found = _find(session, survey, None)
        differences = sealing.check_database(session, survey, found, settings().keys)
    for sentence in differences:
        click.echo(str(sentence), err=True)
    if differences:
        sys.exit(1)
    click.echo(f"与封存第 {found.revision} 版相同。")
