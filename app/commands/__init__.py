"""The commands: `flask --app wsgi …`. Each opens one transaction and calls a service.

Every module is one group of them; `results` and `serving` hold the commands that stand alone.
"""

from flask import Flask

from app.commands import (
    areas,
    audits,
    cards,
    demo,
    questionnaires,
    results,
    retention,
    rubrics,
    seals,
    serving,
    staff,
    surveys,
    tokens,
)


def init_app(app: Flask) -> None:
    """Register every command."""
    for module in (
        questionnaires,
        surveys,
        areas,
        cards,
        staff,
        tokens,
        audits,
        retention,
        demo,
        rubrics,
        seals,
    ):
        app.cli.add_command(module.group)
    for command in (
        results.rates,
        results.score,
        results.evaluation,
        results.review,
        serving.serve,
        serving.doctor,
    ):
        app.cli.add_command(command)
