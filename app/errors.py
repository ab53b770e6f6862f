"""Expected failures: a status and one Chinese sentence that says what to do next.

Problem
├── NotFound 404                 nothing at this address, or nothing that you may see
├── NotIdentified 401            a machine without a token that is in force
├── NotAllowed 403               your role does not reach this page
├── InvalidInput 422             a form's faults, by field
├── TableRefused 422             an uploaded table's faults, by row and column
├── SurveyNotOpen 403            not open yet, paused or closed: says when
├── CardUnusable 404             one page for every reason, so that codes cannot be tried out
│   ├── CardNotFound
│   └── CardSpent
├── EditConflict 409             somebody else changed it meanwhile; both values are shown
├── NotYet 409                   asked for before it can be had: says what has to happen first
├── AnswerConflict 409           this key already stored other answers; the first stay
├── TooMany 429                  more than people send from one phone or network; says when next
└── Unavailable 503              the database cannot write now; nothing is lost, try again
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString
from markupsafe import Markup, escape

Sentence: TypeAlias = str | LazyString
# Services word their refusals with this, so that they need not know Flask themselves.
say = _


def _as_text(sentence: LazyString) -> Markup:
    return escape(str(sentence))


# Flask-Babel calls its lazy strings HTML, and so what somebody typed would be live script on a page
# that shows the sentence it stands in. They are text, all of them, wherever they were made: a
# filter in the templates would miss those that are joined before they are shown.
LazyString.__html__ = _as_text


class Problem(Exception):  # noqa: N818 - the project's word for an expected failure
    """An expected failure with its HTTP status and one sentence for the person.

    `retry_seconds` is how long a retry should wait, where a retry helps.
    """

    status = 400
    sentence: Sentence = _("请求有误，请返回上一页重试。")
    retry_seconds: int | None = None

    def __init__(self, sentence: Sentence | None = None) -> None:
        if sentence is not None:
            self.sentence = sentence
        super().__init__(str(type(self).__name__))


class NotFound(Problem):
    """Nothing at this address, or nothing that this person may see."""

    status = 404
    sentence = _("没有找到这个页面，请核对地址。")


class NotIdentified(Problem):
    """A machine showed no token that is in force."""

    status = 401
    sentence = _("请在 Authorization: Bearer 后面写上有效的令牌；令牌由管理员在“接口令牌”页制作。")


class NotAllowed(Problem):
    """The person's role does not reach this page."""

    status = 403
    sentence = _("您的账号没有权限查看此页，请联系管理员。")


class InvalidInput(Problem):
    """A form's faults by field name, to be shown beside the fields."""

    status = 422
    sentence = _("有内容需要修改，请看下面的提示。")

    def __init__(self, faults: Mapping[str, Sentence]) -> None:
        self.faults = dict(faults)
        super().__init__()


class TableRefused(Problem):
    """An uploaded table's faults, each a sentence that says where; `more` were left out."""

    status = 422
    sentence = _("表格里有内容需要修改，改好后请重新上传。")
    most = 50

    def __init__(self, faults: Iterable[Sentence]) -> None:
        every = [*faults]
        self.faults, self.more = every[: self.most], len(every[self.most :])
        super().__init__()


class SurveyNotOpen(Problem):
    """The survey takes no answers now; the sentence says since or until when."""

    status = 403
    sentence = _("本次调查现在没有开放。")


class CardUnusable(Problem):
    """Wrong, spent, void and unknown codes: one page, one status, one sentence."""

    status = 404
    sentence = _("此卡无效或已使用，如有疑问请联系发卡人员。")


class CardNotFound(CardUnusable):
    """No card has this code."""


class CardSpent(CardUnusable):
    """The card was answered, returned or made void."""


class EditConflict(Problem):
    """Somebody else changed the same thing since the form was opened; nothing was stored."""

    status = 409
    sentence = _("刚才有人改过，还没有保存您的修改。请对照后再保存。")


class NotYet(Problem):
    """Asked for before it can be had; the sentence says what has to happen first."""

    status = 409


class AnswerConflict(Problem):
    """The key already stored other answers; the first ones stay."""

    status = 409
    sentence = _("您此前已经提交过一份答卷，以第一次提交的为准。")

    def __init__(self, receipt: str) -> None:
        self.receipt = receipt
        super().__init__()


class TooMany(Problem):
    """More came from one phone or network than people send (app/limits.py)."""

    status = 429

    def __init__(self, sentence: Sentence, retry_seconds: int) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(sentence)


class Unavailable(Problem):
    """The database cannot write now."""

    status = 503
    retry_seconds = 10
    sentence = _("系统正忙，您的回答还没有存上。请过一会儿在本页再点一次提交。")
