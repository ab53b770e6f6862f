"""How numbers and instants are shown; "%" and "分" are typed here and nowhere else in app/."""

from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

from app.errors import say as _
from app.models import CardState, Channel
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


def instant(value: datetime) -> str:
    """Write an instant in Beijing time."""
    return f"{day(date_of(value))} {value.astimezone(BEIJING):%H:%M}"


def day(value: date) -> str:
    """Write a day as the reader's language does."""
    return value.strftime(str(_("%Y年%m月%d日")))


def date_of(value: datetime) -> date:
    """Return the day in Beijing on which an instant lies."""
    return value.astimezone(BEIJING).date()
