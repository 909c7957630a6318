"""What a table says for certain: counts, sums and means, computed here and not by a model.

Models are poor at adding columns. So the exact figures go with the table into the prompt.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

_MEAN_DECIMALS = Decimal("0.0001")


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV; the columns are those of all rows, in the order they first occur."""
    listed = list(rows)
    columns = list(dict.fromkeys(name for row in listed for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return out.getvalue()


def computed_from(table_csv: str) -> dict[str, Any]:
    """Return the number of rows, and count, sum, min, max and mean of each numeric column.

    A column is numeric when all its non-empty cells are plain numbers such as 1200000 or -3.5.
    With thousands separators 1.200 may be 1.2 or 1200, so such a column is left out.
    """
    rows = list(csv.DictReader(io.StringIO(table_csv)))
    computed: dict[str, Any] = {"rows": len(rows)}
    for name in rows[0] if rows else ():
        cells = [str(row[name]).strip() for row in rows if row.get(name) not in (None, "")]
        numbers = [_number(cell) for cell in cells if cell]
        plain = [number for number in numbers if number is not None]
        if name is not None and plain and len(plain) == len(numbers):
            computed[name] = _figures(plain)
    return computed


def _number(cell: str) -> Decimal | None:
    try:
        value = Decimal(cell)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _figures(numbers: Sequence[Decimal]) -> dict[str, int | float]:
    total = sum(numbers, Decimal(0))
    mean = (total / len(numbers)).quantize(_MEAN_DECIMALS, rounding=ROUND_HALF_EVEN)
    return {
        "count": len(numbers),
        "sum": _plain(total),
        "min": _plain(min(numbers)),
        "max": _plain(max(numbers)),
        "mean": _plain(mean),
    }


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
