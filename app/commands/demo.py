"""The commands about the demonstration: load it, show its entrances."""

from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from app import demo, demo_evaluation
from app.config import Mode, settings
from app.db import reading, transaction

group = AppGroup("demo", help="演示数据。")


@group.command("load")
def load_demo() -> None:
    """建立演示数据（已有则不变）。"""
    if settings().mode is not Mode.DEMO:
        raise click.UsageError("只有 MINPING_MODE=demo 时才能建立演示数据。")
    with transaction() as session:
        made = demo.load_demo(session, settings().keys, datetime.now(UTC))
    click.echo("演示数据已建立。" if made else "演示数据已存在，没有改动。")


@group.command("show")
def show_demo() -> None:
    """打印三种用户各自的入口和演示账号。"""
    lines = demo_lines()
    if not lines:
        raise click.UsageError("还没有演示数据，请先运行 demo load。")
    click.echo("\n".join(lines))


def demo_lines() -> list[str]:
    """Return the entrances of the three kinds of users, one a line; none without demo data."""
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
