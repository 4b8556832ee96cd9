"""Numbers for people: a few digits and a unit."""

import math

PREFIXES = ((1e12, 'T'), (1e9, 'G'), (1e6, 'M'), (1e3, 'k'), (1.0, ''))
ENERGIES = ((1e12, 'J'), (1e9, 'mJ'), (1e6, 'µJ'), (1e3, 'nJ'), (1.0, 'pJ'))  # in pJ
UNKNOWN = 'unknown'


def si(number: float | None, digits: int = 4) -> str:
    """``6440000000`` -> ``'6.44 G'``; what was not measured is 'unknown'."""
    return _scaled(number, digits, PREFIXES)


def energy_text(pj: float | None, digits: int = 4) -> str:
    """An energy in pJ as ``'1.284 mJ'``; what was not measured is 'unknown'."""
    return '0 mJ' if pj == 0 else _scaled(pj, digits, ENERGIES)


def unit_of_energy(pj: float) -> tuple[float, str]:
    """Return how many pJ the unit has that an energy is best written in, and its name."""
    return _unit(pj, ENERGIES)


def rate_text(rate: float | None) -> str:
    """A firing rate or a share in three digits after the point, more for rates that these would show as 0."""
    if not known(rate):
        return UNKNOWN
    return f'{rate:.3f}' if rate == 0 or abs(rate) >= 0.0005 else f'{rate:.0e}'


def percent(share: float | None) -> str:
    return f'{100 * share:.1f} %' if known(share) else UNKNOWN


def known(number: float | None) -> bool:
    return number is not None and math.isfinite(number)


def _scaled(number: float | None, digits: int, units: tuple) -> str:
    if not known(number):
        return UNKNOWN
    number = float(f'{number:.{digits - 1}e}')
    factor, unit = _unit(number, units)
    value = number / factor
    decimals = digits - 1 - (math.floor(math.log10(abs(value))) if value else digits)
    return f'{value:.{max(decimals, 0) if unit or value % 1 else 0}f} {unit}'.strip()


def _unit(number: float, units: tuple) -> tuple[float, str]:
    """The largest that leaves a number of 1 or more."""
    return next((row for row in units if abs(number) >= row[0]), units[-1])
