"""What every group of commands needs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy.exc import OperationalError

from app.db import DatabaseBusy
from app.errors import InvalidInput, Problem, TableRefused
from app.services import drawing


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
