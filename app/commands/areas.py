"""The commands about areas: add, import, list."""

from pathlib import Path

import click
from flask.cli import AppGroup

from app.access import record
from app.commands.common import explained
from app.db import reading, transaction
from app.services import area_import, areas, audit
from app.spreadsheets.reading import read_table

group = AppGroup("areas", help="片区：添加、导入、列出。")


@group.command("add")
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


@group.command("import")
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


@group.command("list")
def list_areas() -> None:
    """列出全部片区。"""
    with reading() as session:
        for area in areas.load_all(session):
            depth = area.path.count("/") - 1
            click.echo(f"{area.id}\t{'  ' * depth}{area.name}")
