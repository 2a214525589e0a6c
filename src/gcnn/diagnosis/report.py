"""How a finding is shown: as HTML in a notebook, with hints that fold out one by one, and as plain text elsewhere.

A picture is drawn only where the HTML is asked for.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from gcnn.diagnosis.findings import Finding

if TYPE_CHECKING:
    from gcnn.plots import Picture

_FOLLOWS = "More checks, which are hidden, follow when it is graded."


class Report:
    """What the checks of one exercise say; a notebook shows it as HTML.

    Attributes:
        finding: what was found.
        ok: whether all is well.
    """

    def __init__(self, finding: Finding):
        self.finding, self.ok = finding, finding.right

    @property
    def mistake(self) -> str:
        """The mistake's name in a sentence; empty if it is not known."""
        causes = [cause.says for cause in self.finding.causes]
        if not causes:
            return ""
        if len(causes) == 1:
            return f"This is what comes out when {causes[0]}."
        return f"This is what comes out either when {causes[0]}, or when {causes[1]}."

    @property
    def hint(self) -> str:
        """What to look at; empty if the mistake is not known."""
        return " Or: ".join(cause.nudge for cause in self.finding.causes)

    @property
    def bigger_hint(self) -> str:
        """More of it; never the answer."""
        return " Or: ".join(cause.hint for cause in self.finding.causes)

    @property
    def picture(self) -> Picture | None:
        """What came out beside what is expected, drawn anew; ``None`` where there is nothing to compare."""
        if self.finding.shown is None:
            return None
        from gcnn.plots.mistakes import drawn  # not above: figures come after checks, and most answers need none

        return drawn(self.finding.shown)

    def _folded_picture(self) -> str:
        """The picture, folded away; nothing where it cannot be drawn, for the hint must not be lost with it."""
        try:
            if (picture := self.picture) is None:
                return ""
            from gcnn.plots.picture import img  # here: only a wrong answer needs what draws

            data, about = picture._repr_mimebundle_()
            image = img("png", data["image/png"], about["image/png"]["width"], picture.alt)
        except Exception:
            return ""
        return f"<details><summary>A picture of the difference</summary>{image}</details>"

    def __str__(self) -> str:
        """All but the bigger hint, in plain text."""
        if self.ok:
            return f"✓ {self.finding.headline} {_FOLLOWS}"
        lines = [f"✗ {self.finding.headline}", *(f"  {line}" for line in self.finding.details)]
        if self.mistake:
            lines += [self.mistake, f"Hint: {self.hint}"]
            name = self.finding.asked.name
            lines.append(f"A bigger hint: print(checks.{self.finding.asked.check}({name}).bigger_hint)")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        finding, say = self.finding, html.escape
        if self.ok:
            return f"<div><p><b>✓ {say(finding.headline)}</b><br>{_FOLLOWS}</p></div>"
        parts = [f"<p><b>✗ {say(finding.headline)}</b></p>"]
        if finding.details:
            parts.append(f"<pre>{say(chr(10).join(finding.details))}</pre>")
        picture = self._folded_picture()
        if self.mistake:
            bigger = f"<details><summary>A bigger hint</summary><p>{say(self.bigger_hint)}</p></details>"
            parts.append(f"<p>{say(self.mistake)}</p>")
            parts.append(f"<details><summary>A hint</summary><p>{say(self.hint)}</p>{picture}{bigger}</details>")
        elif picture:
            parts.append(picture)
        return f"<div>{''.join(parts)}</div>"
