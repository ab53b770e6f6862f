"""The commands about cards: make, print, move in the ledger, check the ledger."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from app.access import record
from app.commands.common import explained
from app.config import settings
from app.db import reading, transaction
from app.formats import card_state_name
from app.models import Batch, CardState, Survey
from app.services import areas, audit, cards, ledger, publishing, sheets
from app.services.printing import LayoutName

group = AppGroup("cards", help="二维码卡：制作、输出可打印的 PDF。")


@group.command("make")
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


@group.command("sheet")
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
    @group.command(name, help=text)
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


@group.command("check")
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
