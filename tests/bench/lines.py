"""What a benchmark reports: a measured value beside the limit of the same run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One value; `must` and `ambitious` are bounds from below, or from above with `less`."""

    name: str
    value: float
    must: float
    ambitious: float
    less: bool = False
    unit: str = "x"
    note: str = ""

    @property
    def is_met(self) -> bool:
        return self._meets(self.must)

    def __str__(self) -> str:
        sign = "<=" if self.less else ">="
        bounds = f"must {sign} {self.must:g}, ambitious {sign} {self.ambitious:g}"
        value = f"{self.name:<44} {self.value:10.3f} {self.unit:<4}"
        return f"{value} {self._reached():<9} ({bounds}) {self.note}".rstrip()

    def _reached(self) -> str:
        if self._meets(self.ambitious):
            return "ambitious"
        return "must" if self.is_met else "MISSED"

    def _meets(self, bound: float) -> bool:
        return self.value <= bound if self.less else self.value >= bound
