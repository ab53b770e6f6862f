"""The commands: `flask --app wsgi …`. Each opens one transaction and calls a service."""

import json
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from waitress import serve as serve_forever

from analysis.display import GroupStatus
from analysis.rates import Rate
from analysis.scoring.audit import audit as find_contradictions
from analysis.scoring.text import findings_text, ranking_text, sheet_text
from analysis.scoring.uncertainty import sheet_dict
from app import demo, demo_evaluation
from app.access import record
from app.config import LARGEST_BODY, Mode, Settings, settings
from app.db import (
    DatabaseBusy,
    current_engine,
    journal_settings,
    reading,
    rewrite_files,
    sqlite_version,
    transaction,
)
from app.errors import InvalidInput, Problem, TableRefused
from app.formats import (
    BEIJING,
    card_state_name,
    counted,
    date_of,
    instant,
    late_rule_mark,
    measured,
    percent,
    review_state_name,
)
from app.limits import counters
from app.models import Batch, CardState, Evaluation, Role, Staff, Survey, SurveyState
from app.services import (
    accounts,
    area_import,
    areas,
    audit,
    back_checks,
    cards,
    documents,
    drawing,
    evaluating,
    evaluation_acts,
    evaluations,
    evidence_files,
    inclusion,
    ledger,
    passwords,
    publishing,
    results,
    retention,
    reviewing,
    rubrics,
    second_factor,
    sheets,
    tokens,
)
from app.services.printing import LayoutName
from app.signals import signal_names
from app.spreadsheets.reading import read_table
from app.spreadsheets.rubric_book import book_sheets
from app.spreadsheets.writing import xlsx
from surveys.library import bundled
from surveys.reading import QuestionnaireError, json_schema, load

questionnaires = AppGroup("questionnaires", help="问卷文件：检查、列出、导出格式说明。")
surveys = AppGroup("surveys", help="调查：从问卷新建，开放、暂停、结束。")
area_group = AppGroup("areas", help="片区：添加、导入、列出。")
card_group = AppGroup("cards", help="二维码卡：制作、输出可打印的 PDF。")
staff_group = AppGroup("staff", help="工作人员账号。")
token_group = AppGroup("tokens", help="接口令牌：制作、列出、撤销。")
audit_group = AppGroup("audit", help="操作记录：核对、输出最后一条的编号和摘要。")
retention_group = AppGroup("retention", help="到期删除，打乱先后次序。")
demo_group = AppGroup("demo", help="演示数据。")
rubric_group = AppGroup("rubric", help="指标体系：检查、添加、列出、导出。")


def init_app(app: Flask) -> None:
    """Register every command."""
    for group in (
        questionnaires,
        surveys,
        area_group,
        card_group,
        staff_group,
        token_group,
        audit_group,
        retention_group,
        demo_group,
        rubric_group,
    ):
        app.cli.add_command(group)
    for command in (rates, score, evaluation, review, serve, doctor):
        app.cli.add_command(command)


@contextmanager
def explained() -> Iterator[None]:
    """Say an expected failure in one line on standard error, and end with status 2."""
    try:
        yield
    except InvalidInput as refusal:
        for field, sentence in refusal.faults.items():
            click.echo(f"{field}: {sentence}", err=True)
        sys.exit(2)
    except TableRefused as refusal:
        for sentence in refusal.faults:
            click.echo(str(sentence), err=True)
        if refusal.more:
            click.echo(f"另有 {refusal.more} 处", err=True)
        sys.exit(2)
    except (DatabaseBusy, OperationalError):
        click.echo("数据库正忙或不能写，请过一会儿再运行。", err=True)
        sys.exit(2)
    except (Problem, drawing.CannotPrint) as problem:
        click.echo(str(getattr(problem, "sentence", problem)), err=True)
        sys.exit(2)


@questionnaires.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def check_files(files: tuple[Path, ...]) -> None:
    """检查问卷文件，逐条指出错处。"""
    failed = False
    for path in files:
        try:
            found = load(path)
        except QuestionnaireError as error:
            failed = True
            click.echo(str(error), err=True)
        else:
            counts = f"{len(found.questions)} 题，{len(found.measures)} 个测量项"
            click.echo(f"{path.name}：正确（{counts}）")
    if failed:
        sys.exit(1)


@questionnaires.command("list")
def list_questionnaires() -> None:
    """列出自带的问卷。"""
    for name, found in bundled().items():
        click.echo(f"{name}\t{found.title}\t{found.source.document} {found.source.place}")


@questionnaires.command("schema")
def print_schema() -> None:
    """输出问卷文件格式的 JSON Schema。"""
    click.echo(json.dumps(json_schema(), ensure_ascii=False, indent=2, sort_keys=True))


@area_group.command("add")
@click.argument("name")
@click.option("--parent", help="上级片区的名称；不填为最高一级。")
def add_area(name: str, parent: str | None) -> None:
    """添加一个片区。"""
    with explained(), transaction() as session:
        above = areas.find_area_by_name(session, parent) if parent else None
        if above is None:
            added = areas.add_area(session, name)
        else:
            added = areas.add_below(session, above, areas.AreaPlan(name))
        record(session, audit.area_added(audit.COMMAND_LINE, added))
    click.echo(f"{added.id}\t{added.path}\t{added.name}")


@area_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="只列出会新增和修改什么，不保存。")
def import_areas(file: Path, dry_run: bool) -> None:
    """从 Excel 或 CSV 导入片区：列名为 上级片区、片区，可以有 人口、分层。有一处不对就都不存。"""
    with explained():
        table = read_table(file.read_bytes(), file.name, area_import.COLUMNS)
        if dry_run:
            with reading() as session:
                plan = area_import.plan_import(session, table.rows, None)
        else:
            with reading() as session:
                prepared = area_import.prepare(session, table.rows, None)
            with transaction() as session:
                plan = area_import.import_areas(session, prepared, None)
                for root, added, changed in area_import.by_root(session, plan):
                    act = audit.areas_imported(audit.COMMAND_LINE, root, added, changed)
                    record(session, act)
    for sign, places in (("+", plan.added), ("~", plan.changed)):
        for place in places:
            click.echo(f"{sign} {areas.STEP.join(place.names)}")
    counts = f"新增 {len(plan.added)}，修改 {len(plan.changed)}，不变 {plan.unchanged}"
    click.echo(f"{counts}（没有保存）" if dry_run else counts)


@area_group.command("list")
def list_areas() -> None:
    """列出全部片区。"""
    with reading() as session:
        for area in areas.load_all(session):
            depth = area.path.count("/") - 1
            click.echo(f"{area.id}\t{'  ' * depth}{area.name}")


@surveys.command("create")
@click.argument("questionnaire")
@click.argument("area")
@click.argument("title")
@click.option("--opens", type=click.DateTime(["%Y-%m-%d %H:%M"]), required=True, help="北京时间。")
@click.option("--closes", type=click.DateTime(["%Y-%m-%d %H:%M"]), required=True, help="北京时间。")
@click.option("--organiser", required=True, help="谁在调查。")
@click.option("--purpose", required=True, help="调查用途。")
@click.option("--collected", required=True, help="收集哪些内容。")
@click.option("--readers", required=True, help="谁能看到答卷。")
@click.option("--contact", required=True, help="群众有疑问时找谁。")
@click.option("--erase", type=click.DateTime(["%Y-%m-%d"]), required=True, help="删除日期。")
def create_survey(
    questionnaire: str,
    area: str,
    title: str,
    opens: datetime,
    closes: datetime,
    erase: datetime,
    **notice: str,
) -> None:
    """从自带问卷新建一次调查（草稿）。"""
    if questionnaire not in bundled():
        raise click.BadParameter(f"没有问卷“{questionnaire}”；现有：{'、'.join(bundled())}")
    plan = publishing.SurveyPlan(
        title,
        opens.replace(tzinfo=BEIJING),
        closes.replace(tzinfo=BEIJING),
        publishing.NoticePlan(**notice, erase_at=erase.date()),
    )
    with explained(), transaction() as session:
        place = areas.find_area_by_name(session, area)
        survey = publishing.make_survey(session, bundled()[questionnaire], place, plan)
        record(session, audit.survey_made(audit.COMMAND_LINE, survey))
    click.echo(f"{survey.id}\t{survey.state}\t{survey.title}")


@surveys.command("list")
def list_surveys() -> None:
    """列出全部调查。"""
    with reading() as session:
        for survey in publishing.load_all_surveys(session):
            ends = f"{instant(survey.opens_at)} – {instant(survey.closes_at)}"
            click.echo(f"{survey.id}\t{survey.state}\t{survey.area_name}\t{survey.title}\t{ends}")


def _mover(name: str, to: SurveyState, text: str) -> None:
    @surveys.command(name, help=text)
    @click.argument("survey_id", type=int)
    def move(survey_id: int) -> None:
        with explained(), transaction() as session:
            survey = publishing.find_survey(session, survey_id)
            before = survey.state
            publishing.move_survey(session, survey, to)
            record(session, audit.survey_moved(audit.COMMAND_LINE, survey, before))
        click.echo(f"{survey.id}\t{survey.state}\t{survey.title}")


_mover("open", SurveyState.OPEN, "开放（或恢复）一次调查。")
_mover("pause", SurveyState.PAUSED, "暂停一次调查。")
_mover("close", SurveyState.CLOSED, "结束一次调查，不能再开放。")


@surveys.command("posters")
@click.argument("survey_id", type=int)
def list_posters(survey_id: int) -> None:
    """列出一次调查的海报链接。"""
    with explained(), reading() as session:
        survey = publishing.find_survey(session, survey_id)
        for poster in publishing.load_posters(session, survey):
            click.echo(f"{poster.area_name}\t{settings().base_url}/p/{poster.slug}")


@card_group.command("make")
@click.argument("survey_id", type=int)
@click.argument("area")
@click.argument("size", type=int)
@click.option("--holder", required=True, help="领卡人或存放处。")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="有效期，这一天仍可作答。")
def make_cards(survey_id: int, area: str, size: int, holder: str, expires: datetime | None) -> None:
    """为一个片区制作一批卡；打印或出示以后才能作答。"""
    with explained(), transaction() as session:
        survey = publishing.find_survey(session, survey_id)
        place = areas.find_area_by_name(session, area)
        plan = cards.BatchPlan(size, holder, expires.date() if expires else None)
        batch = cards.make_batch(session, survey, place, plan, settings().keys, _stamp())
        record(session, audit.batch_made(audit.COMMAND_LINE, batch))
    click.echo(f"{batch.id}\t{place.name}\t{batch.size}")


@card_group.command("sheet")
@click.argument("batch_id", type=int)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="PDF 文件。")
@click.option("--part", type=int, help="只要第几部分（每部分 1000 张）；不填则逐个全部输出。")
@click.option(
    "--layout",
    type=click.Choice([layout.value for layout in LayoutName]),
    default=LayoutName.TEN.value,
    help="ten：每页十张；eight：每页八张，大字。",
)
def print_sheet(batch_id: int, output: Path, part: int | None, layout: str) -> None:
    """输出一批卡的可打印 PDF。每张卡的号码都是一把钥匙，请妥善保管。"""
    with explained(), reading() as session:
        batch = cards.find_batch(session, batch_id)
        survey = publishing.find_survey(session, batch.survey_id)
    parts = range(1, sheets.count_parts(batch) + 1) if part is None else [part]
    for number in parts:
        path = output if len(parts) == 1 else output.with_stem(f"{output.stem}-{number}")
        _print_part(batch, survey, number, LayoutName(layout), path)
        click.echo(str(path))


def _print_part(batch: Batch, survey: Survey, part: int, layout: LayoutName, output: Path) -> None:
    with explained():
        drawn = sheets.draw_sheet(batch, survey, part, layout, settings())
    with explained(), transaction() as session:
        ledger.release(session, batch, _stamp(), [drawn.ends])
        sheets.record_printout(session, batch, drawn, datetime.now(UTC))
        actor = audit.COMMAND_LINE
        record(session, audit.sheet_printed(actor, batch, drawn.serials, layout, drawn.read_back))
    output.touch(mode=0o600)
    output.write_bytes(drawn.pdf)


def _stamp() -> ledger.Stamp:
    return ledger.Stamp(audit.COMMAND_LINE, datetime.now(UTC))


def _card_mover(name: str, to: CardState, text: str) -> None:
    @card_group.command(name, help=text)
    @click.argument("batch_id", type=int)
    @click.argument("serials")
    @click.option("--holder", default="", help="发给谁；不填为本批的领卡人。")
    @click.option("--place", default="", help="地点。")
    @click.option("--reason", default="", help="理由，报失和作废时必填。")
    def move(batch_id: int, serials: str, holder: str, place: str, reason: str) -> None:
        with explained(), transaction() as session:
            batch = cards.find_batch(session, batch_id)
            ranges = ledger.read_serials(serials, batch.size)
            handover = ledger.Handover(holder, place, reason)
            moved = ledger.move(session, batch, ranges, to, _stamp(), handover)
            if moved.changed:
                record(session, audit.cards_moved(audit.COMMAND_LINE, moved))
        click.echo(f"{moved.count}\t{ledger.write_ranges(moved.changed)}")
        for state, left in moved.refused.items():
            click.echo(
                f"没有改动：{ledger.write_ranges(left)}（{card_state_name(state)}）", err=True
            )


_card_mover("issue", CardState.ISSUED, "登记一批卡中的若干张已发出。")
_card_mover("return", CardState.RETURNED, "登记收回。")
_card_mover("lose", CardState.LOST, "登记遗失；找到后可再发出。")
_card_mover("void", CardState.VOID, "作废，立即不能作答，不能恢复。")


@card_group.command("check")
def check_cards() -> None:
    """核对台账与卡片，列出每一处不符；有不符时退出码为 1。"""
    with reading() as session:
        batches = ledger.load_all_batches(session)
        differences = ledger.find_differences(session, batches)
    for each in differences:
        click.echo(
            f"批次 {each.batch_id}：{each.what} 应为 {each.entered}，实有 {each.counted}", err=True
        )
    click.echo(f"共 {len(batches)} 批，{sum(batch.size for batch in batches)} 张")
    if differences:
        sys.exit(1)
    click.echo("账卡相符。")


@staff_group.command("add")
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


@staff_group.command("list")
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


@staff_group.command("close")
@click.argument("name")
def close_staff(name: str) -> None:
    """停用一个账号，退出其所有设备。"""
    with _changing(name, audit.Action.STAFF_CLOSED) as (session, staff):
        accounts.close_staff(session, staff, datetime.now(UTC))
    click.echo(name)


@staff_group.command("unlock")
@click.argument("name")
def unlock_staff(name: str) -> None:
    """解除一个账号因多次输错密码的锁定。"""
    with _changing(name, audit.Action.STAFF_UNLOCKED) as (_session, staff):
        accounts.unlock_staff(staff)
    click.echo(name)


@staff_group.command("reset")
@click.argument("name")
def reset_staff(name: str) -> None:
    """换一个初始密码（一次性显示），退出其所有设备。"""
    password = passwords.draw_password()
    password_hash = passwords.hash_password(password)
    with _changing(name, audit.Action.PASSWORD_RESET) as (session, staff):
        accounts.reset_password(session, staff, password_hash, datetime.now(UTC))
    click.echo(f"{name}\t{password}")


@staff_group.command("reset-factor")
@click.argument("name")
def reset_factor(name: str) -> None:
    """取消一个账号的两步验证（手机和恢复码都丢了），退出其所有设备。"""
    with _changing(name, audit.Action.FACTOR_RESET) as (session, staff):
        second_factor.reset_factor(session, staff, datetime.now(UTC))
    click.echo(name)


@token_group.command("add")
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


@token_group.command("list")
def list_tokens() -> None:
    """列出全部接口令牌；令牌本身不保存，不能再显示。"""
    with reading() as session:
        for token in tokens.load_tokens(session):
            state = "已撤销" if token.revoked_at else f"到 {token.expires_on}"
            used = token.last_used_on or "没有用过"
            click.echo(f"{token.id}\t{token.name}\t{token.area.name}\t{state}\t{used}")


@token_group.command("revoke")
@click.argument("token_id", type=int)
def revoke_token(token_id: int) -> None:
    """撤销一个接口令牌，马上失效，不能恢复。"""
    with explained(), transaction() as session:
        found = tokens.find_token(session, token_id)
        tokens.revoke_token(session, found, datetime.now(UTC))
        record(session, audit.token_changed(audit.COMMAND_LINE, audit.Action.TOKEN_REVOKED, found))
    click.echo(str(token_id))


@click.command("rates")
@with_appcontext
@click.argument("survey_id", metavar="SURVEY", type=int)
@click.option("--by", default="area", show_default=True, help="area、channel 或单选或量表题编号。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def rates(survey_id: int, by: str, as_json: bool) -> None:
    """输出一次调查的各项比率：分子、基数、未计入、百分比、区间，总体和分组。"""
    with explained(), reading() as session:
        evidence = results.load_evidence(session, publishing.find_survey(session, survey_id))
        found = results.measure_results(evidence, by)
        if as_json:
            click.echo(
                json.dumps(documents.rates(evidence, found, by), ensure_ascii=False, indent=2)
            )
        else:
            _print_rates(evidence, found, by)


def _print_rates(evidence: results.Evidence, found: list[results.MeasureResult], by: str) -> None:
    click.echo(f"{evidence.survey.title}：有效答卷 {len(evidence.frame)} 份")
    sealed = evidence.stand.digest
    click.echo(f"封存摘要 {sealed}" if sealed else "临时数据，未封存")
    _say_review(evidence)
    if evidence.design_note:
        click.echo(str(evidence.design_note))
    for result in found:
        click.echo(f"\n{result.measure.name}（{result.measure.id}）：{result.definition}")
        if not result.rates:
            click.echo(f"  {_why(result.status)}，不可计算")
        for rate in result.rates:
            click.echo(f"  {_rate_line(evidence, result, rate)}")
        for group in result.groups:
            name = results.group_name(evidence, by, group.group)
            shown = _rate_line(evidence, result, group.rate) if group.rate else _why(group.status)
            click.echo(f"    {name}：{shown}")


def _say_review(evidence: results.Evidence) -> None:
    if evidence.excluded:
        click.echo(f"另有 {evidence.excluded} 份经审核按规则不计入")
    if mark := late_rule_mark(evidence.inclusion.late_changes):
        click.echo(mark)


def _why(status: GroupStatus) -> str:
    return "人数太少，不单列" if status is GroupStatus.SUPPRESSED else "还没有答卷"


def _rate_line(evidence: results.Evidence, result: results.MeasureResult, rate: Rate) -> str:
    option = ""
    if rate.option is not None:
        question = evidence.questionnaire.question(result.measure.items[0].question)
        option = next(one.text for one in question.options if one.code == rate.option) + " "
    shown = measured(rate.official, rate.kind, result.measure.decimals)
    if rate.weighted is not None:
        shown += f"（加权；未加权 {measured(rate.value, rate.kind, result.measure.decimals)}）"
    said = "；".join(["", *map(str, results.doubts(rate))])
    positive = counted(rate.numerator, rate.credit)
    left_out = f"未计入 {rate.left_out.total}"
    return f"{option}{positive}/{rate.base} = {shown}，{left_out}，{_interval(rate)}{said}"


def _interval(rate: Rate) -> str:
    if rate.interval is None:
        return rate.interval_note
    ends = f"{measured(rate.interval.low, rate.kind)}–{measured(rate.interval.high, rate.kind)}"
    return f"{percent(rate.interval.confidence, 0)} 区间 {ends}（{rate.interval.method.value}）"


@click.command("score")
@with_appcontext
@click.argument("survey_id", metavar="SURVEY", type=int)
@click.argument("rubric_id", metavar="RUBRIC")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def score(survey_id: int, rubric_id: str, as_json: bool) -> None:
    """按指标体系给一次调查计分，每一分都写明怎么来的。"""
    with explained(), reading() as session:
        evidence = results.load_evidence(session, publishing.find_survey(session, survey_id))
        sheet = evaluating.score_survey(evidence, rubrics.find_rubric(session, rubric_id))
    if as_json:
        click.echo(json.dumps(sheet_dict(sheet), ensure_ascii=False, indent=2))
    else:
        _say_review(evidence)
        click.echo(sheet_text(sheet))


@click.command("review")
@with_appcontext
@click.argument("survey_id", metavar="SURVEY", type=int)
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def review(survey_id: int, as_json: bool) -> None:
    """输出一次调查的质量信号、审核状态、纳入规则和回访结果；信号不是结论。"""
    with explained(), reading() as session:
        survey = publishing.find_survey(session, survey_id)
        case = reviewing.load_case(session, survey, settings().keys)
        rule = inclusion.load_inclusion(session, survey.id)
        checks = back_checks.load_checks(session, survey, survey.area)
    overall = back_checks.tally_of("合计", checks)
    if as_json:
        shown = _case_json(case, rule, overall)
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    click.echo(f"{survey.title}：收集的答卷 {len(case.records)} 份")
    names = signal_names()
    for found in case.found:
        click.echo(f"  {names[found.signal].name}：{len(found.flags)} / 可判断 {found.judged}")
    click.echo(f"  自愿参与（海报）：{percent(case.opt_in, 1)}")
    states = [f"{review_state_name(state)} {count}" for state, count in case.states.items()]
    click.echo("，".join(states))
    click.echo(late_rule_mark(rule.late_changes) or f"纳入规则第 {rule.number} 版")
    matched = f"{overall.confirmed.matched}/{overall.confirmed.base}"
    click.echo(
        f"回访：抽中 {overall.drawn}，核实 {matched} = {percent(overall.confirmed.value, 1)}"
    )


def _case_json(
    case: reviewing.Case, rule: inclusion.Inclusion, overall: back_checks.Tally
) -> dict[str, object]:
    interval = overall.confirmed.interval
    return {
        "survey": case.survey.id,
        "submissions": len(case.records),
        "signals": [
            {"signal": each.signal.value, "flagged": len(each.flags), "judged": each.judged}
            for each in case.found
        ],
        "opt_in_share": None if case.opt_in is None else str(case.opt_in),
        "interviewers": [
            {
                "interviewer": case.interviewers[each.interviewer],
                "area": case.towns[each.area],
                "question": each.question,
                "n": each.n,
                "others": each.others,
                "chi_squared": each.statistic,
                "p": each.p,
                "holm": each.corrected,
            }
            for each in case.compared
        ],
        "states": {state.value: count for state, count in case.states.items()},
        "rule": {
            "number": rule.number,
            "excluded": sorted(rule.excluded),
            "excludes_queried": rule.excludes_queried,
            "late_changes": rule.late_changes,
        },
        "back_checks": {
            "drawn": overall.drawn,
            "asked_again": overall.asked_again,
            "never_interviewed": overall.never_interviewed,
            "not_reached": overall.not_reached,
            "confirmed": overall.confirmed.matched,
            "base": overall.confirmed.base,
            "interval": None if interval is None else [interval.low, interval.high],
        },
    }


@click.command("evaluation")
@with_appcontext
@click.argument("evaluation_id", metavar="EVALUATION", type=int)
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def evaluation(evaluation_id: int, as_json: bool) -> None:
    """给一次评价的全部对象计分、排名，写明缺什么、等级分布。"""
    with explained(), reading() as session:
        found = evaluations.find_evaluation(session, evaluation_id, None)
        ranking = evaluations.load_outcome(session, found, datetime.now(UTC)).ranking
    if as_json:
        click.echo(json.dumps(ranking.to_dict(), ensure_ascii=False, indent=2))
    else:
        click.echo(ranking_text(ranking))


@rubric_group.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check_rubric(file: Path) -> None:
    """检查一个指标体系文件（.toml 或 .xlsx），逐处指出错处，列出自身的矛盾。"""
    with explained():
        rubric = rubrics.read_upload(_content(file), file.name).rubric
    click.echo(findings_text(rubric, find_contradictions(rubric)))


@rubric_group.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--area", required=True, help="属于哪个片区。")
@click.option("--use", "is_used", is_flag=True, help="存好就启用；启用后不能再改。")
def add_rubric(file: Path, area: str, is_used: bool) -> None:
    """把指标体系文件（.toml 或 .xlsx）存为一个片区的新的一版。"""
    with explained():
        draft = rubrics.read_upload(_content(file), file.name)
    with explained(), transaction() as session:
        place = areas.find_area_by_name(session, area)
        made = rubrics.store_draft(session, draft, place, None, datetime.now(UTC))
        record(session, audit.rubric_saved(audit.COMMAND_LINE, made, None))
        if is_used:
            rubrics.put_in_use(session, made)
            record(session, audit.rubric_put_in_use(audit.COMMAND_LINE, made))
    click.echo(f"{rubrics.own_id(made)}\t{made.version}\t{made.title}")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Problem(f"{path.name}：这个文件读不出来") from None


@rubric_group.command("list")
def list_rubrics() -> None:
    """列出全部指标体系：代号、版本、状态、片区、名称。"""
    for name, found in evaluating.rubrics().items():
        click.echo(f"{name}\t\t\t\t{found.title}")
    with reading() as session:
        for stored in rubrics.load_stored(session):
            where = (stored.version, stored.state.value, stored.area.name, stored.title)
            click.echo("\t".join(map(str, (rubrics.own_id(stored), *where))))


@rubric_group.command("export")
@click.argument("rubric_id", metavar="RUBRIC")
@click.option("--output", type=click.Path(path_type=Path), help="写成 .toml 或 .xlsx 文件。")
def export_rubric(rubric_id: str, output: Path | None) -> None:
    """导出一个指标体系；不写 --output 时输出 TOML。"""
    with explained(), reading() as session:
        text = rubrics.find_text(session, rubric_id)
    if output is None:
        click.echo(text, nl=False)
    elif output.suffix == ".xlsx":
        with explained():
            output.write_bytes(xlsx(book_sheets(rubrics.book_of_text(text))))
    else:
        output.write_text(text, encoding="utf-8")


@audit_group.command("head")
def show_audit_head() -> None:
    """输出最后一条记录的“编号:摘要”，抄在纸上，日后可查出末尾是否被删。"""
    with reading() as session:
        click.echo(str(audit.load_head(session)))


@audit_group.command("verify")
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


@retention_group.command("run")
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


@retention_group.command("mix")
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


@demo_group.command("load")
def load_demo() -> None:
    """建立演示数据（已有则不变）。"""
    if settings().mode is not Mode.DEMO:
        raise click.UsageError("只有 MINPING_MODE=demo 时才能建立演示数据。")
    with transaction() as session:
        made = demo.load_demo(session, settings().keys, datetime.now(UTC))
    click.echo("演示数据已建立。" if made else "演示数据已存在，没有改动。")


@demo_group.command("show")
def show_demo() -> None:
    """打印三种用户各自的入口和演示账号。"""
    lines = _demo_lines()
    if not lines:
        raise click.UsageError("还没有演示数据，请先运行 demo load。")
    click.echo("\n".join(lines))


def _demo_lines() -> list[str]:
    with reading() as session:
        found = demo.find_addresses(session, settings().keys)
    if found is None:
        return []
    base, password = settings().base_url, demo.PASSWORD
    judge, clerk = demo_evaluation.EVALUATOR, demo_evaluation.FIELDWORKER
    return [
        f"群众端  resident    {base}{found.card or found.poster}",
        f"        poster      {base}{found.poster}",
        f"现场端  fieldworker {base}/field/   {demo.FIELDWORKER} / {password}",
        f"评价端  evaluator   {base}/desk/    {demo.EVALUATOR} / {password}",
        f"县级评价  county     {base}/desk/evaluations/  {judge} / {password}",
        f"乡镇填报  township   {base}/field/evaluations/  {clerk} / {password}",
    ]


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
        click.echo("\n".join(_demo_lines()))
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
