"""The commands about surveys: make one, move it from state to state, list its posters."""

from datetime import datetime

import click
from flask.cli import AppGroup

from app.access import record
from app.commands.common import explained
from app.config import settings
from app.db import reading, transaction
from app.formats import BEIJING, instant
from app.models import SurveyState
from app.services import areas, audit, publishing
from surveys.library import bundled

group = AppGroup("surveys", help="调查：从问卷新建，开放、暂停、结束。")


@group.command("create")
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


@group.command("list")
def list_surveys() -> None:
    """列出全部调查。"""
    with reading() as session:
        for survey in publishing.load_all_surveys(session):
            ends = f"{instant(survey.opens_at)} – {instant(survey.closes_at)}"
            click.echo(f"{survey.id}\t{survey.state}\t{survey.area_name}\t{survey.title}\t{ends}")


def _mover(name: str, to: SurveyState, text: str) -> None:
    @group.command(name, help=text)
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


@group.command("posters")
@click.argument("survey_id", type=int)
def list_posters(survey_id: int) -> None:
    """列出一次调查的海报链接。"""
    with explained(), reading() as session:
        survey = publishing.find_survey(session, survey_id)
        for poster in publishing.load_posters(session, survey):
            click.echo(f"{poster.area_name}\t{settings().base_url}/p/{poster.slug}")
