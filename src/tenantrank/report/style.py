"""How a report looks: its style sheet, and the colours it is made of, for light, dark and paper."""

from __future__ import annotations

import base64
import hashlib

LIGHT = {
    "ink": "#1b1f24",
    "soft": "#57606a",
    "paper": "#ffffff",
    "panel": "#f5f6f8",
    "rule": "#d0d5db",
    "edge": "#3d444d",
    "alarm": "#b42318",
    "accent": "#174ea6",
    "dot": "#7b858f",
    "shade": "#00000038",
}
DARK = {
    "ink": "#e8eaed",
    "soft": "#a9b1ba",
    "paper": "#14171b",
    "panel": "#1e2329",
    "rule": "#3a424b",
    "edge": "#c3c9d0",
    "alarm": "#ff9a8d",
    "accent": "#9dc1ff",
    "dot": "#8b959f",
    "shade": "#000000a0",
}
"""Colours by use: ``ink`` and ``soft`` are text, ``edge`` outlines whatever tells something."""

FILLS = {
    "A": ("#174ea6", "#ffffff"),
    "B": ("#f0a830", "#3d2a00"),
    "C": ("#1f7a4d", "#ffffff"),
    "D": ("#c9a9e8", "#331a52"),
    "E": ("#8a3b12", "#ffffff"),
    "F": ("#86c5ee", "#06304d"),
    "G": ("#8c1d5b", "#ffffff"),
    "H": ("#c5cf62", "#32370a"),
    "other": ("#b6bdc5", "#59626c"),
    "none": ("#ffffff", "#b42318"),
    "refused": ("#ffffff", "#57606a"),
}
"""The ground of each mark's pattern, and the lines on it. Neighbours differ in lightness, for eyes and paper without
colour.
"""

_PATTERNS = {
    "A": "",
    "B": "M-1 9 9 -1M-1 1 1 -1M7 9 9 7",
    "C": "M2 2h.01M6 6h.01",
    "D": "M0 4H8",
    "E": "M-1 -1 9 9M7 -1 9 1M-1 7 1 9",
    "F": "M4 0V8",
    "G": "M0 4H8M4 0V8",
    "H": "M2 2h.01M6 6h.01M2 6h.01M6 2h.01",
    "other": "M4 4h.01",
    "none": "M0 0 8 8M8 0 0 8",
    "refused": "M0 2H3M4 6H7",
}

_SHEET = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;margin:0;color:var(--ink);
background:var(--paper);overflow-wrap:anywhere}
main{max-width:74rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.3rem;line-height:1.3;margin:2.75rem 0 .25rem;padding-top:.75rem;border-top:2px solid var(--ink)}
h3{font-size:1.05rem;margin:1.75rem 0 .25rem}
p{margin:.25rem 0 .75rem;max-width:48rem}
.note{color:var(--soft);font-size:.875rem}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.4rem,1fr));gap:.6rem;margin:1rem 0;padding:0}
.tiles div{background:var(--panel);border:1px solid var(--rule);border-radius:.4rem;padding:.6rem .75rem}
.tiles dt{color:var(--soft);font-size:.875rem}
.tiles dd{margin:0;font-size:1.5rem;font-weight:600;line-height:1.25;font-variant-numeric:tabular-nums}
.tiles .alarm{border-color:var(--alarm);border-width:2px}
.tiles .alarm dd{color:var(--alarm)}
.facts{margin:.75rem 0}
.facts div{display:grid;gap:0 .75rem;padding:.3rem 0;
border-bottom:1px solid var(--rule)}
.facts dt{color:var(--soft)}
.facts dd{margin:0}
.box{overflow-x:auto;margin:.75rem 0 1rem;border:1px solid var(--rule);border-radius:.4rem;max-width:100%;
background:linear-gradient(to right,var(--paper) 40%,transparent) left/2.5rem 100% no-repeat local,
linear-gradient(to left,var(--paper) 40%,transparent) right/2.5rem 100% no-repeat local,
linear-gradient(to right,var(--shade),transparent) left/1rem 100% no-repeat scroll,
linear-gradient(to left,var(--shade),transparent) right/1rem 100% no-repeat scroll}
.box:focus-visible,summary:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.9rem;line-height:1.4}
caption{text-align:left;padding:.5rem .75rem;font-weight:600;background:var(--panel)}
th,td{text-align:left;vertical-align:top;padding:.4rem .75rem;border-top:1px solid var(--rule);overflow-wrap:break-word}
thead th{font-weight:600;color:var(--soft);white-space:nowrap}
tbody th{font-weight:500}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.wide{display:block;min-width:13rem;overflow-wrap:anywhere}
.some{display:block;min-width:9rem;overflow-wrap:anywhere}
details{margin:.5rem 0 1rem}
summary{cursor:pointer;color:var(--accent);padding:.35rem 0}
.bars{list-style:none;margin:.75rem 0 0;padding:0}
.bars li{display:grid;grid-template-columns:1fr;gap:.1rem .9rem;margin:0 0 .8rem;break-inside:avoid}
.bars .of{color:var(--soft);font-size:.875rem;font-variant-numeric:tabular-nums}
.bars .of b{color:var(--alarm);font-weight:600}
svg{display:block;max-width:100%}
.bar,.amount{width:100%;height:22px}
.bar,.swatch{outline:1px solid var(--edge);outline-offset:-1px}
.swatch{display:inline-block;width:30px;height:20px;vertical-align:-4px;margin-right:.5rem;flex:none}
.who{display:flex;align-items:flex-start;min-width:11rem;overflow-wrap:anywhere}
figure{margin:.5rem 0}
.plot{width:100%;height:420px}
.defs{position:absolute;width:0;height:0}
.edge{fill:none;stroke:var(--edge)}
.cut{stroke:var(--paper);stroke-width:1.5}
.base{stroke:var(--edge);stroke-width:1}
.badge{fill:#15181c}
.in{font:700 11.5px/1 system-ui,sans-serif;fill:#fff;text-anchor:middle}
.cost{fill:var(--accent)}
.less{fill:var(--paper);stroke:var(--accent);stroke-width:2}
.grid{stroke:var(--rule)}
.lane{stroke:var(--soft);stroke-dasharray:3 4}
.tick{font:12px/1 system-ui,sans-serif;fill:var(--soft)}
.axis{font:600 12px/1 system-ui,sans-serif;fill:var(--ink)}
.dot{fill:none;stroke:var(--dot);stroke-width:3.5px;stroke-linecap:round;vector-effect:non-scaling-stroke}
.ring{fill:none;stroke:var(--edge);stroke-width:9px;stroke-linecap:round;vector-effect:non-scaling-stroke}
.hole{fill:none;stroke:var(--paper);stroke-width:6px;stroke-linecap:round;vector-effect:non-scaling-stroke}
.win{fill:var(--accent);stroke:var(--paper);stroke-width:1.5}
.name{font:700 13px/1 system-ui,sans-serif;fill:var(--ink);stroke:var(--paper);stroke-width:4px;paint-order:stroke;
stroke-linejoin:round}
.spot{fill:var(--dot)}
.mark{overflow:visible}
.key{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:.25rem 0 .5rem;padding:0;list-style:none;font-size:.875rem}
.key li{display:flex;align-items:center;gap:.4rem}
.key svg{width:22px;height:22px;flex:none}
.key .lettered{width:28px}
.key .swatch{width:30px;height:20px;margin:0}
@media (min-width:46rem){.facts div{grid-template-columns:12rem 1fr}
.bars li{grid-template-columns:minmax(0,19rem) minmax(0,1fr);align-items:center}
.bars svg{grid-column:2;grid-row:1/span 2}.bars .name-of{align-self:end}.bars .of{align-self:start}
.bars li:has(.long){grid-template-columns:1fr}.bars li:has(.long) svg{grid-column:1;grid-row:auto}}
@media print{main{max-width:none;padding:0}.box{overflow:visible;border:0;background:none}h2,h3{break-after:avoid}
table{font-size:.72rem}th,td{padding:.25rem .4rem;overflow-wrap:anywhere}thead th{white-space:normal}
.wide,.who,.some{min-width:6rem}
tr,.plot{break-inside:avoid}details::details-content{content-visibility:visible;height:auto}summary{display:none}}
"""


def _root(colours: dict[str, str]) -> str:
    return ":root{" + ";".join(f"--{name}:{colour}" for name, colour in colours.items()) + "}"


SHEET = (
    f"{_root(LIGHT)}:root{{color-scheme:light dark}}"
    f"@media screen and (prefers-color-scheme:dark){{{_root(DARK)}}}"
    + "".join(
        f".g{name}{{fill:{ground}}}.l{name}{{stroke:{lines};stroke-width:1.6;stroke-linecap:round;fill:none}}"
        for name, (ground, lines) in FILLS.items()
    )
    + _SHEET.replace("\n", "")
)
"""The whole style sheet."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()
    + "'; form-action 'none'; base-uri 'none'"
)
"""What the page allows itself: this one style sheet, by its digest, and nothing else."""


def patterns() -> str:
    """Give the patterns that bars are filled with, ``k…`` by the name of the mark; they stand once in a page."""
    made = "".join(
        f'<pattern id="k{name}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" '
        f'class="g{name}"/>' + (f'<path class="l{name}" d="{lines}"/>' if lines else "") + "</pattern>"
        for name, lines in _PATTERNS.items()
    )
    return f'<svg class="defs" width="0" height="0" aria-hidden="true" focusable="false"><defs>{made}</defs></svg>'
