"""How numbers and instants are shown; "%" and "分" are typed here and nowhere else in app/."""

from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

from app.errors import say as _
from app.models import CardState, Channel, ReviewReason, ReviewState
from surveys.questionnaire import MeasureKind

BEIJING = timezone(timedelta(hours=8), "北京时间")


def decimal(value: Fraction, places: int) -> Decimal:
    """Return an exact fraction as a decimal with this many places, halves rounded up."""
    with localcontext() as context:
        context.prec = 50
        quotient = Decimal(value.numerator) / Decimal(value.denominator)
        return quotient.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def percent(value: Fraction | float | None, places: int = 2) -> str:
    """Write a rate (a fraction 0..1) as a percentage; nothing computed is a dash, never 0."""
    return "—" if value is None else f"{decimal(Fraction(value) * 100, places)}%"


def measured(value: Fraction | float, kind: MeasureKind, places: int = 2) -> str:
    """Write what a measure found as its kind is read: a percentage, points of 100, or a number."""
    match kind:
        case MeasureKind.SCORE:
            return f"{decimal(Fraction(value) * 100, places)} 分"
        case MeasureKind.NPS:
            return str(decimal(Fraction(value) * 100, places))
        case _:
            return percent(value, places)


def counted(numerator: int, credit: Fraction) -> str:
    """Write how many answers are positive and, where some count in part, what they are worth."""
    if credit == numerator:
        return str(numerator)
    return str(_("%(count)s（折算 %(credit)s）", count=numerator, credit=decimal(credit, 2)))


def percentage(value: Decimal) -> str:
    """Write a figure that is already in percent (0..100), with the places it has."""
    return f"{value}%"


def figure(value: float | None, places: int = 2) -> str:
    """Write a number that people gave, or their mean; nobody's number is a dash, never 0."""
    if value is None:
        return "—"
    text = f"{decimal(Fraction(value), places):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def points(value: Decimal | None) -> str:
    """Write rubric points; nothing scored is a dash, never 0."""
    return "—" if value is None else f"{value} 分"


def score(value: Fraction) -> str:
    """Write exact points of a rubric, halves rounded up to two decimals."""
    return points(decimal(value, 2))


_CHANNELS = {
    Channel.SCANNED: _("扫码"),
    Channel.POSTER: _("海报"),
    Channel.INTERVIEWED: _("现场访谈"),
    Channel.TELEPHONED: _("电话"),
    Channel.PUSHED: _("推送"),
    Channel.PAPER: _("纸质"),
}


def channel_name(channel: str) -> str:
    """Return what a channel is called in the reader's language."""
    return str(_CHANNELS[Channel(channel)])


_CARD_STATES = {
    CardState.MADE: _("已制作"),
    CardState.PRINTED: _("已打印"),
    CardState.ISSUED: _("已发出"),
    CardState.OPENED: _("已打开"),
    CardState.ANSWERED: _("已答"),
    CardState.RETURNED: _("已收回"),
    CardState.LOST: _("已报失"),
    CardState.VOID: _("已作废"),
    CardState.EXPIRED: _("已过期"),
}


def card_state_name(state: str) -> str:
    """Return what a card's state is called in the reader's language."""
    return str(_CARD_STATES[CardState(state)])


_REVIEW_STATES = {
    ReviewState.VALID: _("有效"),
    ReviewState.QUERIED: _("有疑问"),
    ReviewState.SET_ASIDE: _("判为无效"),
}
_REVIEW_REASONS = {
    ReviewReason.DUPLICATE: _("重复填写"),
    ReviewReason.FABRICATED: _("不是本人回答（编造、代填）"),
    ReviewReason.TEST: _("测试用的答卷"),
    ReviewReason.OUT_OF_SCOPE: _("不是调查对象"),
    ReviewReason.CARELESS: _("明显没有认真作答"),
    ReviewReason.INFLUENCED: _("回答受到别人影响"),
    ReviewReason.OTHER: _("其他（写明）"),
}


def review_state_name(state: str) -> str:
    """Return what a reviewer's decision is called in the reader's language."""
    return str(_REVIEW_STATES[ReviewState(state)])


def review_reason_name(reason: str) -> str:
    """Return what a reviewer's reason is called in the reader's language."""
    return str(_REVIEW_REASONS[ReviewReason(reason)])


def late_rule_mark(late_changes: int) -> str:
    """Return what every output says of a rule that was changed after opening; else nothing."""
    if not late_changes:
        return ""
    return str(_("纳入规则在调查开始后修改过（%(count)s 次）", count=late_changes))


def instant(value: datetime) -> str:
    """Write an instant in Beijing time."""
    return f"{day(date_of(value))} {value.astimezone(BEIJING):%H:%M}"


def day(value: date) -> str:
    """Write a day as the reader's language does."""
    return value.strftime(str(_("%Y年%m月%d日")))


def date_of(value: datetime) -> date:
    """Return the day in Beijing on which an instant lies."""
    return value.astimezone(BEIJING).date()
