"""The commands about rubrics: check, add, list, export."""

from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from analysis.scoring.audit import audit as find_contradictions
from analysis.scoring.text import findings_text
from app.access import record
from app.commands.common import explained
from app.db import reading, transaction
from app.errors import Problem
from app.services import areas, audit, evaluating, rubrics
from app.spreadsheets.rubric_book import book_sheets
from app.spreadsheets.writing import xlsx

group = AppGroup("rubric", help="指标体系：检查、添加、列出、导出。")


@group.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check_rubric(file: Path) -> None:
    """检查一个指标体系文件（.toml 或 .xlsx），逐处指出错处，列出自身的矛盾。"""
    with explained():
        rubric = rubrics.read_upload(_content(file), file.name).rubric
    click.echo(findings_text(rubric, find_contradictions(rubric)))


@group.command("add")
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


@group.command("list")
def list_rubrics() -> None:
    """列出全部指标体系：代号、版本、状态、片区、名称。"""
    for name, found in evaluating.rubrics().items():
        click.echo(f"{name}\t\t\t\t{found.title}")
    with reading() as session:
        for stored in rubrics.load_stored(session):
            where = (stored.version, stored.state.value, stored.area.name, stored.title)
            click.echo("\t".join(map(str, (rubrics.own_id(stored), *where))))


@group.command("export")
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
