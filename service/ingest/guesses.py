"""What nobody said of a CSV file, guessed from its first lines."""

import re
from csv import Error as CsvError
from itertools import pairwise

from api_schemas.datasets import Decimal
from service.ingest.text import Fields, Sample, is_number, split

DELIMITERS = ",;\t|"
MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
QUOTED = re.compile(r'"[^"]*"')
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


def guess_delimiter(sample: Sample, decimal: str | None) -> tuple[str, list[str]]:
    """The one that makes rows of one length, and of these the most numbers; others that are as
    good."""
    whole = "".join(sample.lines)
    text = QUOTED.sub("", whole)
    if any(DECIMAL_COMMA.fullmatch(quoted.strip('"')) for quoted in QUOTED.findall(whole)):
        decimal = None  # those within quotes do not part
    scores = {d: _score(sample, d) for d in DELIMITERS if d in text and d != decimal}
    best = max(scores, key=lambda d: scores[d], default=",")
    if not scores or scores[best] == (0, 0):
        first = next((line for line in text.splitlines() if line.strip()), "")
        return max((d for d in DELIMITERS if d != decimal), key=first.count), []
    share, _ = scores[best]
    return best, [d for d in scores if d != best and scores[d][1] and scores[d][0] == share]


def guess_decimal(rows: list[Fields], delimiter: str) -> tuple[Decimal, str | None]:
    """A comma where numbers have one and none has a point; a number that may have meant another."""
    fields = [field for row in rows for field in row]
    commas = [field for field in fields if DECIMAL_COMMA.fullmatch(field)]
    if not commas or any(map(DECIMAL_POINT.fullmatch, fields)):
        return ".", None
    if not all(map(THOUSANDS.fullmatch, commas)):
        return ",", None
    return (".", None) if delimiter == "," else (",", commas[0])


def guess_header(first: Fields, rows: list[Fields]) -> tuple[bool, bool]:
    """Whether the first row names the columns, and whether that is sure.

    One without numbers does; one with some, where a word stands above a number. One with a word
    that comes again below is a point.
    """
    if first == [str(i) for i in range(len(first))]:
        return len(first) > 2, False  # pandas' header for columns without names, or a point
    words = [at for at, field in enumerate(first) if is_word(field)]
    if any(first[at] == row[at] for row in rows for at in words if at < len(row)):
        return False, True
    below = rows[0] if rows else []
    is_over = any(is_word(a) and is_number(b) for a, b in zip(first, below, strict=False))
    if not any(map(is_number, first)):
        return True, is_over
    return is_over, not (is_over or words or _counts_up(first))


def is_word(text: str) -> bool:
    return text not in MISSING and not is_number(text)


def _score(sample: Sample, delimiter: str) -> tuple[float, int]:
    """The share of numbers and the columns, 0 unless all rows have as many, more than one."""
    try:
        rows = [row.fields for row in split(sample, delimiter)[1] if row.fields]
    except CsvError:
        return 0, 0
    widths = {*map(len, rows)}
    if len(widths) != 1 or widths == {1}:
        return 0, 0
    fields = [field for row in rows[1:] or rows for field in row]
    return sum(map(is_number, fields)) / len(fields), len(rows[0])


def _counts_up(fields: Fields) -> bool:
    """Whether they are as years are in a header."""
    if len(fields) < 3 or not all(field.isdecimal() for field in fields):
        return False
    return all(int(b) - int(a) == 1 for a, b in pairwise(fields))
