"""What residents write: kept apart, shown to few, and gone from the files at its date."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Keys
from app.db import reading, transaction
from app.formats import date_of
from app.models import (
    Area,
    AuditEntry,
    FreeText,
    Notice,
    Survey,
    SurveyState,
)
from app.services import cards, publishing
from app.services import retention as retention_service
from surveys.library import bundled
from surveys.questionnaire import Question, QuestionKind
from tests.conftest import (
    EVALUATOR,
    NOW,
    House,
    NewVisitor,
    Visitor,
    Zone,
    _connect,
    answers,
    finish_wiping,
    issue_batch,
    plan,
    submissions,
)
from tests.conftest import QUESTIONNAIRE as CODED

WISH = "村口的老王说药太贵了"
YESTERDAY = date_of(NOW) - timedelta(days=1)
Asked = tuple[int, str]
Retention = Callable[..., str]


@pytest.fixture
def asked(app: Flask, here: Zone, keys: Keys) -> Asked:
    """A survey that also asks for words, and its poster for the first town."""
    coded = bundled()[CODED]
    wish = Question(
        "wish", "13", "您有什么建议？", QuestionKind.TEXT, required=False, multiline=True
    )
    last = replace(coded.sections[-1], questions=(*coded.sections[-1].questions, wish))
    asking = replace(coded, id="with-words", sections=(*coded.sections[:-1], last))
    with app.app_context(), transaction() as session:
        area = session.get_one(Area, here.area)
        survey = publishing.make_survey(session, asking, area, plan("有话要说"))
        publishing.move_survey(session, survey, SurveyState.OPEN)
        batch = issue_batch(session, survey, session.get_one(Area, here.towns[0]), 9, "村", keys)
        code = cards.code_of(batch, 1, keys)
    return survey.id, f"/s/{code}"


@pytest.fixture
def retention(app: Flask) -> Retention:
    def run(*arguments: str, status: int = 0) -> str:
        result = app.test_cli_runner().invoke(args=["retention", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        if (result.exit_code, status) == (1, 0):
            finish_wiping(app)
        else:
            assert result.exit_code == status, result.output
        return result.stdout

    return run


def texts(app: Flask) -> Sequence[FreeText]:
    with app.app_context(), reading() as session:
        return session.scalars(select(FreeText)).all()


def acts(app: Flask, action: str) -> Sequence[AuditEntry]:
    with app.app_context(), reading() as session:
        return session.scalars(select(AuditEntry).where(AuditEntry.action == action)).all()


def make_due(app: Flask, survey_id: int, number: int = 1) -> None:
    with app.app_context(), transaction() as session:
        session.get_one(Notice, (survey_id, number)).erase_at = YESTERDAY


def poster(app: Flask, survey_id: int, area_id: int) -> str:
    with app.app_context(), reading() as session:
        found = publishing.load_posters(session, session.get_one(Survey, survey_id))
        return next(f"/p/{each.slug}" for each in found if each.area_id == area_id)


# ---------------------------------------------------------------------------------------------
# Kept apart
# ---------------------------------------------------------------------------------------------


def test_the_field_warns(visitor: Visitor, asked: Asked) -> None:
    page = visitor.get(asked[1])
    (label,) = page.html.all("label", **{"for": "wish-in"})
    assert "请不要写姓名、电话、身份证号、住址" in label.text


def test_a_text_lies_apart_with_a_digest_of_its_own(
    app: Flask, visitor: Visitor, asked: Asked
) -> None:
    visitor.submit(asked[1], answers(wish=f"  {WISH} "))
    (text,), (stored,) = texts(app), submissions(app, asked[0])
    assert (text.submission_key, text.question_id, text.text) == (stored.key, "wish", WISH)
    assert text.salt is not None
    assert text.digest == hashlib.sha256(text.salt + WISH.encode()).hexdigest()
    assert "wish" not in stored.answers


def test_nothing_written_is_no_row(app: Flask, visitor: Visitor, asked: Asked) -> None:
    visitor.submit(asked[1], answers(wish=" "))
    assert texts(app) == []


def test_the_same_words_have_another_digest_each_time(
    app: Flask, visitor: Visitor, here: Zone, asked: Asked
) -> None:
    for _time in range(2):
        visitor.submit(poster(app, asked[0], here.area), answers(wish=WISH))
    first, second = texts(app)
    assert first.digest != second.digest


@pytest.mark.parametrize("other", ["别的话", ""])
def test_a_retry_with_other_words_conflicts(
    other: str, app: Flask, visitor: Visitor, asked: Asked
) -> None:
    form = visitor.open_form(asked[1])
    receipt = visitor.submit(asked[1], answers(wish=WISH), form).receipt
    assert visitor.submit(asked[1], answers(wish=WISH), form).receipt == receipt
    assert visitor.submit(asked[1], answers(wish=other), form, status=409).receipt == receipt
    assert [text.text for text in texts(app)] == [WISH]


def test_a_form_with_faults_loses_no_words(visitor: Visitor, asked: Asked) -> None:
    page = visitor.submit(asked[1], answers(q1="", wish=WISH), status=422)
    assert page.fields()["wish"] == [WISH]


# ---------------------------------------------------------------------------------------------
# Shown to few
# ---------------------------------------------------------------------------------------------


def test_an_evaluator_reads_and_the_look_is_on_record(
    app: Flask, visitor: Visitor, evaluator: Visitor, asked: Asked
) -> None:
    visitor.submit(asked[1], answers(wish=f"{WISH}<b>"))
    page = evaluator.get(f"/desk/surveys/{asked[0]}/texts")
    assert f"{WISH}<b>" in page.text
    assert "您有什么建议？" in page.text
    (act,) = acts(app, "texts_viewed")
    assert (act.actor, act.object, act.after) == (EVALUATOR, f"survey {asked[0]}", {"texts": 1})


@pytest.mark.parametrize("role", ["fieldworker", "auditor"])
def test_nobody_else_reads(
    role: str, app: Flask, request: pytest.FixtureRequest, visitor: Visitor, asked: Asked
) -> None:
    visitor.submit(asked[1], answers(wish=WISH))
    page = request.getfixturevalue(role).get(f"/desk/surveys/{asked[0]}/texts", status=403)
    assert WISH not in page.body
    assert not acts(app, "texts_viewed")


def test_another_zone_reads_nothing(visitor: Visitor, outsider: Visitor, asked: Asked) -> None:
    visitor.submit(asked[1], answers(wish=WISH))
    outsider.get(f"/desk/surveys/{asked[0]}/texts", status=404)


def test_an_auditor_sees_how_many_there_are(
    visitor: Visitor, auditor: Visitor, asked: Asked
) -> None:
    visitor.submit(asked[1], answers(wish=WISH))
    assert "文字回答：现存 1 条，已删除 0 条。" in auditor.get(f"/desk/surveys/{asked[0]}").text


def test_a_text_is_nowhere_else(
    app: Flask, visitor: Visitor, evaluator: Visitor, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    receipt = visitor.submit(asked[1], answers(wish=WISH)).receipt
    pages = [evaluator.get(f"/desk/surveys/{asked[0]}{tail}") for tail in ("", "/rates", "/tables")]
    pages += [visitor.get(f"/r/{receipt}"), evaluator.get("/desk/audit"), evaluator.get("/desk/")]
    printed = app.test_cli_runner().invoke(args=["rates", str(asked[0]), "--json"]).output
    assert not [page.path for page in pages if WISH in page.body]
    assert WISH not in printed + caplog.text


def test_a_town_is_named_where_that_tells_nobody_apart(
    app: Flask, new_visitor: NewVisitor, evaluator: Visitor, here: Zone, asked: Asked
) -> None:
    many, few = (poster(app, asked[0], town) for town in here.towns[:2])
    path = f"/desk/surveys/{asked[0]}/texts"
    for number in range(5):
        new_visitor().submit(many, answers(wish=f"多{number}"))
    assert evaluator.get(path).text.count("忠门镇") == 5
    for number in range(4):
        new_visitor().submit(few, answers(wish=f"少{number}"))
        # A text without a town would be from the one town that is left out.
        assert "镇" not in evaluator.get(path).text.replace("答卷少的镇不写镇名", "")
    new_visitor().submit(few, answers(wish="少4"))
    text = evaluator.get(path).text
    assert (text.count("忠门镇"), text.count("东埔镇")) == (5, 5)


def test_the_order_is_that_of_chance_and_pages_hold_all(
    app: Flask, evaluator: Visitor, here: Zone, asked: Asked, visitor: Visitor
) -> None:
    address = poster(app, asked[0], here.area)
    for number in range(52):
        visitor.submit(address, answers(wish=f"第{number:02d}条"))
    path = f"/desk/surveys/{asked[0]}/texts"
    shown = [
        quote.text
        for page in ("1", "2")
        for quote in evaluator.get(path, page=page).html.all("blockquote")
    ]
    assert len(shown) == len(set(shown)) == 52
    assert shown != sorted(shown)
    assert shown == [each.text for each in sorted(texts(app), key=lambda each: each.digest)]
    for strange in ("0", "-1", "x", "9" * 30):
        evaluator.get(path, page=strange)


# ---------------------------------------------------------------------------------------------
# Erased at its date
# ---------------------------------------------------------------------------------------------


def files_hold(house: House, words: str) -> bool:
    """Say whether any file of the database holds these words."""
    if house.settings.database_url.startswith("sqlite"):
        found = house.settings.instance.glob("minping.sqlite3*")
        return any(words.encode() in path.read_bytes() for path in found)
    database = house.settings.database_url.rpartition("/")[2]
    with closing(_connect(database)) as connection:
        connection.execute("CHECKPOINT")
        query = "SELECT pg_read_binary_file(pg_relation_filepath(%s))"
        (heap,) = connection.execute(query, ["free_texts"]).fetchone() or (b"",)
        (statistics,) = connection.execute(query, ["pg_statistic"]).fetchone() or (b"",)
    return words.encode() in heap + statistics


def test_what_staff_wrote_about_cards_is_erased_with_the_rest(
    house: House, app: Flask, fieldworker: Visitor, here: Zone, retention: Retention
) -> None:
    path = f"/field/batches/{here.batch}"
    sent = {"serials": "1-2", "act": "returned", "holder": "王二麻子", "place": "村口老槐树"}
    fieldworker.fill(path, status=200, **sent, reason="说不识字")
    again = {"serials": "1", "act": "issued", "holder": "李大嘴", "place": "村口老槐树"}
    fieldworker.fill(path, status=200, **again)
    before = fieldworker.get(f"/field/surveys/{here.survey}").text
    assert "李大嘴" in fieldworker.get(path).text
    make_due(app, here.survey)
    dry = retention("run", "--dry-run")
    assert "卡片登记的去向和理由 2 条" in dry
    assert "李大嘴" in fieldworker.get(path).text
    retention("run")
    page = fieldworker.get(path).text
    for words in ("王二麻子", "李大嘴", "村口老槐树", "说不识字"):
        assert words not in page
        if house.settings.database_url.startswith("sqlite") and words != "说不识字":
            assert not files_hold(house, words)
    # Who did what with which cards stays, and so do the counts.
    assert "1-2 已收回 li" in page
    assert fieldworker.get(f"/field/surveys/{here.survey}").text == before
    assert acts(app, "texts_erased")[0].after == {
        "notice": 1,
        "texts": 0,
        "durations": 0,
        "batches": 0,
        "slips": 0,
        "notes": 2,
    }


def test_an_older_notice_takes_no_words_about_cards(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, retention: Retention
) -> None:
    sent = {"serials": "1", "act": "returned", "reason": "", "place": "村口老槐树"}
    fieldworker.fill(f"/field/batches/{here.batch}", status=200, **sent)
    notice = f"/desk/surveys/{here.survey}/notice"
    evaluator.fill(notice, action=None, purpose="另一种用途")
    make_due(app, here.survey, 1)
    retention("run")
    assert "村口老槐树" in fieldworker.get(f"/field/batches/{here.batch}").text


def test_what_is_due_is_erased_and_every_count_stays(
    app: Flask, visitor: Visitor, asked: Asked, retention: Retention
) -> None:
    form = visitor.open_form(asked[1])
    receipt = visitor.submit(asked[1], answers(wish=WISH), form).receipt
    (before,), (text,) = submissions(app, asked[0]), texts(app)
    make_due(app, asked[0])
    printed = retention("run")
    assert "已删除文字 1 条、答题用时 1 条、小批次的批号 1 条" in printed
    (erased,), (after,) = texts(app), submissions(app, asked[0])
    assert (erased.text, erased.salt, erased.digest) == (None, None, text.digest)
    assert erased.erased_at is not None
    assert (after.duration_seconds, after.batch_id) == (None, None)
    assert (after.answers, after.digest, after.area_id) == (
        before.answers,
        before.digest,
        before.area_id,
    )
    (act,) = acts(app, "texts_erased")
    assert act.after == {
        "notice": 1,
        "texts": 1,
        "durations": 1,
        "batches": 1,
        "slips": 0,
        "notes": 0,
    }
    # A phone that tries once more still gets its receipt, and erased words are not stored again.
    assert visitor.submit(asked[1], answers(wish=WISH), form).receipt == receipt
    assert [each.text for each in texts(app)] == [None]


def test_erased_words_are_gone_from_the_files(
    app: Flask, house: House, visitor: Visitor, asked: Asked, retention: Retention
) -> None:
    visitor.submit(asked[1], answers(wish=WISH))
    retention("mix")
    assert files_hold(house, WISH), "the test does not look where the words are"
    make_due(app, asked[0])
    if not house.settings.database_url.startswith("sqlite"):
        with closing(_connect(house.settings.database_url.rpartition("/")[2])) as connection:
            connection.execute("ANALYZE")  # it copies samples of what columns hold
    retention("run")
    assert not files_hold(house, WISH)
    with app.app_context(), reading() as session:
        assert session.get_one(Notice, (asked[0], 1)).cleaned_at is not None


def test_what_is_not_due_stays(
    app: Flask, visitor: Visitor, asked: Asked, retention: Retention
) -> None:
    visitor.submit(asked[1], answers(wish=WISH))
    assert "没有到期的内容" in retention("run")
    assert [text.text for text in texts(app)] == [WISH]
    assert not acts(app, "texts_erased")


def test_a_dry_run_only_says_so(
    app: Flask, visitor: Visitor, asked: Asked, retention: Retention
) -> None:
    visitor.submit(asked[1], answers(wish=WISH))
    make_due(app, asked[0])
    assert "将删除文字 1 条" in retention("run", "--dry-run")
    assert json.loads(retention("run", "--dry-run", "--json")) == {
        "dry_run": True,
        "erased": [
            {
                "survey": asked[0],
                "notice": 1,
                "texts": 1,
                "durations": 1,
                "batches": 1,
                "slips": 0,
                "notes": 0,
            }
        ],
        "evidence_erased": [],
        "staff_sessions_cleared": 0,
        "sign_ins_cleared": 0,
        "old_versions_kept": 0,
    }
    assert [text.text for text in texts(app)] == [WISH]


def test_a_second_run_does_nothing(
    app: Flask, visitor: Visitor, asked: Asked, retention: Retention
) -> None:
    visitor.submit(asked[1], answers(wish=WISH))
    make_due(app, asked[0])
    retention("run")
    assert json.loads(retention("run", "--json"))["erased"] == []
    assert len(acts(app, "texts_erased")) == 1


def test_an_earlier_date_counts_for_all_and_a_later_one_for_none_before(
    app: Flask, visitor: Visitor, evaluator: Visitor, here: Zone, asked: Asked, retention: Retention
) -> None:
    address, page = poster(app, asked[0], here.area), f"/desk/surveys/{asked[0]}/notice"
    visitor.submit(address, answers(wish="先写的"))
    (later,) = evaluator.get(page).fields()["erase_at"]
    moved = str(date.fromisoformat(later) + timedelta(days=9))
    evaluator.fill(page, erase_at=moved, reason="评价延期")
    visitor.submit(address, answers(wish="后写的"))
    make_due(app, asked[0])
    retention("run")
    assert [text.text for text in texts(app) if text.text] == ["后写的"]
    visitor.submit(address, answers(wish="又写的"))
    evaluator.fill(page, contact="新电话")
    make_due(app, asked[0], 3)
    retention("run")
    assert not [text.text for text in texts(app) if text.text]


def test_words_that_a_reader_may_still_want_are_erased_from_the_files_later(
    app: Flask, house: House, visitor: Visitor, asked: Asked, retention: Retention
) -> None:
    if house.settings.database_url.startswith("sqlite"):
        pytest.skip("SQLite's readers hold the file back as a whole, and the command says busy")
    visitor.submit(asked[1], answers(wish=WISH))
    make_due(app, asked[0])
    database = house.settings.database_url.rpartition("/")[2]
    with closing(_connect(database)) as backup:
        backup.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT count(*) FROM areas")
        retention("run", status=1)
        with app.app_context(), reading() as session:
            assert session.get_one(Notice, (asked[0], 1)).cleaned_at is None
        backup.execute("COMMIT")
    retention("run")
    assert not files_hold(house, WISH)
    with app.app_context(), reading() as session:
        assert session.get_one(Notice, (asked[0], 1)).cleaned_at is not None


def test_two_runs_at_once_erase_once(app: Flask, visitor: Visitor, asked: Asked) -> None:
    visitor.submit(asked[1], answers(wish=WISH))
    make_due(app, asked[0])

    def erase(_number: int) -> retention_service.Erasure | None:
        with app.app_context():
            with reading() as session:
                due = retention_service.load_due(session, date_of(NOW))
            with transaction() as session:
                return retention_service.erase(session, due[0], NOW) if due else None

    with ThreadPoolExecutor(4) as pool:
        done = [each for each in pool.map(erase, range(8)) if each is not None]
    assert [(each.texts, each.durations) for each in done] == [(1, 1)]


def test_what_was_stopped_before_the_files_were_clean_is_finished_by_the_next_run(
    app: Flask, house: House, visitor: Visitor, asked: Asked, retention: Retention
) -> None:
    visitor.submit(asked[1], answers(wish=WISH))
    make_due(app, asked[0])
    with app.app_context(), transaction() as session:
        (notice,) = retention_service.load_due(session, date_of(NOW))
        retention_service.erase(session, notice, NOW)
    retention("run")
    assert not files_hold(house, WISH)
    with app.app_context(), reading() as session:
        assert session.get_one(Notice, (asked[0], 1)).cleaned_at is not None
