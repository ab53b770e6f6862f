"""How many of those who were asked answered: AAPOR's response rates (STATISTICS.md §3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Dispositions:
    """How the contacts of a sample ended; counts of 0 or more.

    `complete` and `partial` are interviews (I, P); `refused`, `no_contact` and `other` were
    eligible and gave none (R, NC, O); of `unknown_household` and `unknown_other` (UH, UO) nobody
    knows whether they were eligible; `not_eligible` (NE) were found not to be.
    """

    complete: int = 0
    partial: int = 0
    refused: int = 0
    no_contact: int = 0
    other: int = 0
    unknown_household: int = 0
    unknown_other: int = 0
    not_eligible: int = 0


def estimated_eligibility(found: Dispositions) -> Fraction | None:
    """Return e, the share of eligible among those known: (I+P+R+NC+O) / (I+P+R+NC+O+NE).

    None where nothing is known of anybody.

    Source: AAPOR Standard Definitions, the "proportional allocation" (CASRO) estimate of e.
    """
    known = _known(found)
    return _share(known, Fraction(known + found.not_eligible))


def response_rates(
    found: Dispositions, eligibility: Fraction | None = None
) -> Mapping[str, Fraction | None]:
    """Return RR1 to RR6 as exact fractions, 0 to 1; None where there is nothing to divide by.

    Parameters
        found: the final dispositions.
        eligibility: e, the share of UH and UO taken for eligible, 0 to 1; None to estimate it.

    Raises
        ValueError: a count below 0, or an eligibility outside its range.

    Source: AAPOR, Standard Definitions, "Response Rates":
        RR1 = I / ((I+P) + (R+NC+O) + (UH+UO))
        RR2 = (I+P) / ((I+P) + (R+NC+O) + (UH+UO))
        RR3 = I / ((I+P) + (R+NC+O) + e(UH+UO))
        RR4 = (I+P) / ((I+P) + (R+NC+O) + e(UH+UO))
        RR5 = I / ((I+P) + (R+NC+O))
        RR6 = (I+P) / ((I+P) + (R+NC+O))

    Example: 100 answered and 20 did not (Leeper, responserates).

    >>> response_rates(Dispositions(complete=100, no_contact=20))["RR1"]
    Fraction(5, 6)
    """
    counts = [getattr(found, name) for name in Dispositions.__slots__]
    if min(counts) < 0:
        raise ValueError(f"a count below 0: {found}")
    if eligibility is not None and not 0 <= eligibility <= 1:
        raise ValueError(f"{eligibility} is no share")
    known, unknown = _known(found), found.unknown_household + found.unknown_other
    e = estimated_eligibility(found) if eligibility is None else eligibility
    interviews = found.complete + found.partial
    bases = (
        Fraction(known + unknown),
        None if e is None else known + e * unknown,
        Fraction(known),
    )
    rates: dict[str, Fraction | None] = {}
    for number, base in enumerate(bases):
        rates[f"RR{2 * number + 1}"] = _share(found.complete, base)
        rates[f"RR{2 * number + 2}"] = _share(interviews, base)
    return rates


def _known(found: Dispositions) -> int:
    interviews = found.complete + found.partial
    return interviews + found.refused + found.no_contact + found.other


def _share(part: int, base: Fraction | None) -> Fraction | None:
    return None if not base else part / base
