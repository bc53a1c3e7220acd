"""Formats counts, durations and rates for people."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# Up to so many seconds, an estimate is rounded to so many: more digits than are known would be a lie.
_ROUNDING = (
    (55, 5),
    (10 * _MINUTE, _MINUTE),
    (_HOUR, 5 * _MINUTE),
    (10 * _HOUR, 10 * _MINUTE),
    (2 * _DAY, _HOUR),
)


def format_count(number: int, noun: str, nouns: str = "") -> str:
    """A number and its noun; `nouns` is the plural where it is not the noun with an "s".

    >>> format_count(1, "message"), format_count(2000, "message"), format_count(2, "batch", "batches")
    ('1 message', '2,000 messages', '2 batches')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def format_bytes(count: float) -> str:
    """A size, in the unit that keeps it above one.

    >>> [format_bytes(n) for n in (1, 999, 1000, 1_234_567, 98_765_432_100)]
    ['1 byte', '999 bytes', '1.0 kB', '1.2 MB', '99 GB']
    """
    if count < 1000:
        return format_count(round(count), "byte")
    shown, unit = count / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if shown < 1000:
            break
        shown, unit = shown / 1000, larger
    return f"{_figure(shown)} {unit}"


def format_duration(seconds: float) -> str:
    """Seconds that were measured.

    >>> [format_duration(s) for s in (8, 95, 4000)]
    ['8 s', '1 min 35 s', '1 h 06 min']
    """
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR:,} h {whole % _HOUR // _MINUTE:02d} min"


def format_estimate(seconds: float) -> str:
    """Seconds that were estimated.

    >>> [format_estimate(s) for s in (0, 8, 95, 5300, 7200, 40_000, 400_000)]
    ['5 s', '10 s', '2 min', '1 h 30 min', '2 h', '11 h', '5 days']
    """
    step = next((step for limit, step in _ROUNDING if seconds <= limit), _DAY)
    whole = max(step, round(seconds / step) * step)
    if step == _DAY:
        return f"{whole // _DAY:,} days"
    hours, minutes = divmod(whole // _MINUTE, 60)
    parts = [(hours, "h"), (minutes, "min"), (whole % _MINUTE, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def format_rate(per_second: float, noun: str = "") -> str:
    """A rate, in the unit that keeps it above one where there is one.

    >>> [format_rate(r) for r in (1234.5, 2.34, 0.2, 0.002)]
    ['1,234/s', '2.3/s', '12/min', '7.2/h']
    >>> format_rate(2.34, "messages")
    '2.3 messages/s'
    """
    what = f" {noun}" if noun else ""
    for unit, seconds in (("s", 1), ("min", _MINUTE)):
        if (number := per_second * seconds) >= 1:
            return f"{_figure(number)}{what}/{unit}"
    return f"{_figure(per_second * _HOUR)}{what}/h"


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def format_usd(usd: float) -> str:
    """Dollars, with as many digits as are worth reading.

    >>> [format_usd(usd) for usd in (0, 0.00034, 0.4567, 12.3, 1234.5)]
    ['$0.00', '$0.00034', '$0.457', '$12.30', '$1,234']
    """
    if 0 < usd < 1:
        return f"${usd:.3g}"
    return f"${usd:,.2f}" if usd < 1000 else f"${usd:,.0f}"
