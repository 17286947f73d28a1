"""All studies on one page: ``python -m analysis.report.across`` renders ``reports/index.html`` from what is committed.

The page is made from each report's manifest and study file alone, so that it can be made where no data are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.figures import write_svg
from analysis.figures_across import across_figure
from analysis.project import Project
from analysis.report import formats, pandoc
from analysis.report.across_claims import STRENGTHS, Claim, claims
from analysis.report.figures import svg_metadata
from analysis.report.markdown import Markdown, attribute, escape, identifier, table
from analysis.report.render import svg_data_uri
from analysis.report.template import check, cite, environment, family
from analysis.tables import STAGES

TEMPLATE = "across.md"
FIGURE = "across"
VERDICTS = ["supported", "contradicted", "equivalent to zero", "too imprecise to say"]


class Across:
    """What the template may show.

    Parameters
    ----------
    found : claims of all studies; simulated ones are left out.
    """

    def __init__(self, found: list[Claim]) -> None:
        self.claims = [claim for claim in found if not claim.study.truth]
        self.studies = {claim.study.name: claim.study for claim in self.claims}

    def context(self, svg: str) -> dict[str, Any]:
        """Return what the template may name; `svg` is the figure over all studies."""
        return {
            "studies": list(self.studies.values()),
            "claims": self.claims,
            "count_of": lambda verdict: formats.count(sum(claim.verdict == verdict for claim in self.claims)),
            "figure": self.figure(svg),
            "ladder_table": self.ladder_table(),
            "verdict_table": self.verdict_table(),
            "unseen_table": self.unseen_table(),
            "link": link,
            "cite": cite,
        }

    def figure(self, svg: str) -> Markdown:
        """Show the figure with its finding as caption."""
        about = svg_metadata(svg)
        anchor, alt = identifier("figure", FIGURE), attribute(about["description"])
        return Markdown(
            f"\n\n![[{escape(about['title'])}]{{.finding}}](figures/{FIGURE}.svg){{#{anchor} alt={alt}}}\n\n"
        )

    def verdict_table(self) -> Markdown:
        """Show every claim with its verdict, and what its design compares."""
        rows: list[list[object]] = [
            [
                link(claim.study.name), claim.hypothesis.statement, _verdict(claim), _number(claim.estimate),
                _interval(claim), _number(claim.hypothesis.smallest_effect), STRENGTHS[claim.strength],
            ]
            for claim in self.claims
        ]  # fmt: skip
        header = ["Study", "Hypothesis", "Verdict", "Estimate", "95% CI", "Smallest effect", "Compares"]
        title = "Every hypothesis of every study, judged by the one estimate that its study file names."
        return self._table(header, rows, title, "verdicts", "lllrrrl")

    def ladder_table(self) -> Markdown:
        """Count verdicts by rung and way."""
        rows: list[list[object]] = []
        places = {(c.hypothesis.rung, c.hypothesis.way) for c in self.claims if c.hypothesis.rung and c.hypothesis.way}
        for rung, way in sorted(places):
            inside = [c.verdict for c in self.claims if (c.hypothesis.rung, c.hypothesis.way) == (rung, way)]
            counts = [formats.count(inside.count(verdict)) for verdict in VERDICTS]
            rows.append([f"{rung} {STAGES[int(rung or 0)]}", str(way).replace("_", " "), *counts])
        header = ["Rung", "Way", *(verdict[:1].upper() + verdict[1:] for verdict in VERDICTS)]
        title = "Verdicts by rung of the ladder and by way that norms travel."
        return self._table(header, rows, title, "ladder", "llrrrr")

    def unseen_table(self) -> Markdown:
        """Show the smallest effect that each study could have seen beside the smallest of interest."""
        rows: list[list[object]] = [
            [
                link(claim.study.name), claim.name.replace("_", " "), _number(claim.hypothesis.smallest_effect),
                _number(claim.detectable), formats.number(claim.detectable / claim.hypothesis.smallest_effect, 2),
            ]
            for claim in self.claims
            if claim.detectable is not None
        ]  # fmt: skip
        header = ["Study", "Hypothesis", "Smallest effect of interest", "Smallest detectable effect", "Ratio"]
        title = "What each study could have seen: an effect that it would find four times out of five."
        return self._table(header, rows, title, "unseen", "llrrr")

    def _table(self, header: list[str], rows: list[list[object]], title: str, anchor: str, align: str) -> Markdown:
        if not rows:
            return Markdown("")
        sources = [Markdown(f"[{escape(name)} manifest]({name}/manifest.json)") for name in self.studies]
        caption = Markdown(f"[{escape(title)}]{{.finding}} [{Markdown(' · ').join(sources)}]{{.provenance}}")
        return table(header, rows, caption=caption, anchor=identifier("table", anchor), align=align)


def link(study: str) -> Markdown:
    """Link a study's report."""
    return Markdown(f"[{escape(study)}]({study}/index.html)")


def _verdict(claim: Claim) -> Markdown:
    return Markdown(f"[{escape(claim.verdict)}]{{.verdict}}")


def _number(value: float | None) -> Markdown:
    return formats.number(value) if formats.known(value) else Markdown("–")


def _interval(claim: Claim) -> Markdown:
    known = claim.low is not None and claim.high is not None
    return formats.interval(claim.low, claim.high) if known else Markdown("–")


def render(project: Project) -> None:
    """Render ``reports/index.html``, ``reports/paper.pdf`` and their figure; the same reports give the same bytes.

    Raises
    ------
    InputError : a study file is wrong, or the template holds a number typed by hand.
    """
    across = Across(claims(project.root))
    folder = Path("reports")
    with project.writing(folder / "figures" / f"{FIGURE}.svg") as path:
        write_svg(across_figure(across.claims), path, "across")
        svg = path.read_text("utf-8")
    env = environment()
    check(family(TEMPLATE, env), env)
    text = env.get_template(TEMPLATE).render(across.context(svg))
    page = pandoc.html(text, reader=pandoc.MARKDOWN, filters=["exhibits.lua"], citations=True, toc=True)
    page = page.replace(f'src="figures/{FIGURE}.svg"', f'src="{svg_data_uri(svg.encode())}"')
    with project.writing(folder / "index.html") as html, project.writing(folder / "paper.pdf") as pdf:
        html.write_text(page, "utf-8", newline="\n")
        pdf.write_bytes(pandoc.pdf(text, figures=project.find(folder / "figures" / f"{FIGURE}.svg").parent))


if __name__ == "__main__":
    render(Project.here())
