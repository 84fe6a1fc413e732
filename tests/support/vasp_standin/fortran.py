"""Numbers as Fortran writes them."""


def exponent(value: float, width: int, digits: int) -> str:
    """Return the edit descriptor `Ew.d`: mantissa below one, a leading zero where it fits, no E before three digits."""
    if value == 0.0:
        mantissa, power = "0." + "0" * digits, 0
    else:
        digits_text, power_text = f"{abs(value):.{digits - 1}e}".split("e")
        mantissa, power = "0." + digits_text.replace(".", ""), int(power_text) + 1
    sign = "-" if str(value).startswith("-") else ""
    tail = f"E{power:+03d}" if abs(power) < 100 else f"{power:+04d}"
    text = f"{sign}{mantissa}{tail}"
    if len(text) > width:
        text = f"{sign}{mantissa[1:]}{tail}"
    return text.rjust(width) if len(text) <= width else "*" * width


def fixed(value: float, width: int, digits: int) -> str:
    """Return the edit descriptor `Fw.d`; stars where the number does not fit."""
    text = f"{value:{width}.{digits}f}"
    return text if len(text) <= width else "*" * width
