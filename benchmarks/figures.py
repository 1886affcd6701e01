"""Figures as the benchmarks print and judge them."""

from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the table; ``reached`` is none where there is no bar."""

    what: str
    value: float
    unit: str
    bar: str = ""
    reached: bool | None = None

    def line(self) -> str:
        verdict = {None: "", True: "reached", False: "NOT reached"}[self.reached]
        return f"{self.what:60} {self.value:12,.2f} {self.unit:10} {self.bar:8} {verdict}"
