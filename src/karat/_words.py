"""Words of messages that every room may use; importing this loads nothing."""


def counted(n: int, what: str, form: str = "") -> str:
    """Return a number with its noun, in the plural where it is not one. form: of the number, such as `,`.

    Example:
        >>> counted(1, "row"), counted(2, "row"), counted(3, "entry"), counted(1000, "day", ",")
        ('1 row', '2 rows', '3 entries', '1,000 days')
    """
    if n != 1:
        what = f"{what[:-1]}ies" if what.endswith("y") and what[-2] not in "aeou" else f"{what}s"
    return f"{n:{form}} {what}"
