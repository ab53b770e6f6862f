"""The commands about questionnaire files: check, list, describe the format."""

import json
import sys
from pathlib import Path

import click
from flask.cli import AppGroup

from surveys.library import bundled
from surveys.reading import QuestionnaireError, json_schema, load

group = AppGroup("questionnaires", help="问卷文件：检查、列出、导出格式说明。")


@group.command("check")
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


@group.command("list")
def list_questionnaires() -> None:
    """列出自带的问卷。"""
    for name, found in bundled().items():
        click.echo(f"{name}\t{found.title}\t{found.source.document} {found.source.place}")


@group.command("schema")
def print_schema() -> None:
    """输出问卷文件格式的 JSON Schema。"""
    click.echo(json.dumps(json_schema(), ensure_ascii=False, indent=2, sort_keys=True))
