"""A graph as one SVG file that needs nothing else, readable on light ground and on dark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from windlass.dagfactory.graph.colours import family_of, ink_of
from windlass.dagfactory.graph.layout import (
    Box,
    Point,
    Wire,
    caption,
    heading,
    lay_out,
    shorten,
    text_width,
)
from windlass.dagfactory.graph.read import Graph, Node

__all__ = ["to_svg"]

_MARGIN, _TITLE, _LEGEND = 24.0, 52.0, 22.0
_LEGEND_ROOM = 400.0
_LEVEL = 0.05
_BEND = 20.0
"""How far what leads back reaches out of a row: three quarters of it, which a group's border is away."""
_STYLE = """
svg{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
.paper{fill:#fff}.title{font-size:16px;font-weight:600;fill:#1c2430}.sub{font-size:12px;fill:#5b6675}
.group{fill:#8796ab;fill-opacity:.09;stroke:#a9b4c3}.group-name{font-size:12px;font-weight:600;fill:#4d5969}
.task{fill:#fbfcfe;stroke:#a3afbf}.stack{fill:#eef2f7;stroke:#a3afbf}
.missing{fill:none;stroke:#c62828;stroke-dasharray:4 3}
.name{font-size:13px;fill:#1c2430}.what{font-size:11px;fill:#5b6675}
.wire{fill:none;stroke:#7c8a9c;stroke-width:1.4}.teardown{stroke-dasharray:5 4}.wrong{stroke:#c62828}
.tip{fill:#7c8a9c}.tip-wrong{fill:#c62828}
@media (prefers-color-scheme:dark){
.paper{fill:#14181f}.title,.name{fill:#e8ecf2}.sub,.what{fill:#a3aebd}.group-name{fill:#c0c9d6}
.group{stroke:#4a5565}.task{fill:#1f2630;stroke:#566375}.stack{fill:#2a3340;stroke:#566375}
.wire{stroke:#8593a6}.tip{fill:#8593a6}.missing,.wrong{stroke:#ff7b72}.tip-wrong{fill:#ff7b72}}
"""


def to_svg(graph: Graph) -> str:
    """Draw a graph, from left to right in the order tasks run.

    Args:
        graph: What to draw.

    Returns:
        A whole SVG document. The same graph gives the same bytes.
    """
    layout = lay_out(graph)
    subtitle = f"{graph.title} · {graph.subtitle}" if graph.shown else graph.subtitle
    title = graph.shown or graph.title
    legend, legend_width, rows = _legend(graph, layout.width)
    top = _MARGIN + _TITLE + rows * _LEGEND
    inner = max(layout.width, text_width(title, 16), text_width(f"{subtitle} · 000 tasks", 12), legend_width)
    width, height = inner + 2 * _MARGIN, layout.height + _MARGIN + top
    tasks = sum(node.kind == "task" for node in graph.nodes.values())
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(_xml(title))}</title>",
        f"<style>{_STYLE}</style>",
        f"<defs>{_tip('tip')}{_tip('tip-wrong')}</defs>",
        '<rect class="paper" width="100%" height="100%"/>',
        _text(_MARGIN, _MARGIN + 14, "title", title),
        _text(_MARGIN, _MARGIN + 34, "sub", f"{subtitle} · {tasks} {'task' if tasks == 1 else 'tasks'}"),
        *legend,
        f'<g transform="translate({_MARGIN:.0f} {top:.0f})">',
        *(_group(node, layout.boxes[node.id]) for node in graph.nodes.values() if node.kind == "group"),
        *(_wire(wire, graph) for wire in layout.wires),
        *(_task(node, layout.boxes[node.id]) for node in graph.nodes.values() if node.kind != "group"),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _tip(name: str) -> str:
    shape = f'<path class="{name}" d="M0 0L8 4L0 8Z"/>'
    where = (
        'viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse"'
    )
    return f'<marker id="{name}" {where} orient="auto">{shape}</marker>'


def _legend(graph: Graph, room: float) -> tuple[list[str], float, int]:
    """Say which colour is which family: the parts of the drawing, its width and how many rows it takes."""
    families = sorted({family_of(node.operator) for node in graph.nodes.values() if node.kind == "task"})
    parts: list[str] = []
    x, widest, row = 0.0, 0.0, 0
    for family in families:
        wide = text_width(family, 11) + 28
        if x and x + wide > max(room, _LEGEND_ROOM):
            x, row = 0.0, row + 1
        y = _MARGIN + _TITLE + row * _LEGEND
        parts.append(_bar(Box(_MARGIN + x, y - 4, 3, 12), family))
        parts.append(_text(_MARGIN + x + 9, y + 6, "what", family))
        x += wide
        widest = max(widest, x)
    return parts, widest, row + 1 if families else 0


def _bar(box: Box, family: str) -> str:
    return f'{_rect(box, "", radius=1.5)[:-2]} fill="{ink_of(family)}"/>'


def _group(node: Node, box: Box) -> str:
    name = shorten(node.shown or node.name, box.width - 20, 12)
    return (
        f"<g><title>{escape(_xml(_hover(node)))}</title>{_rect(box, 'group', radius=10)}"
        f"{_text(box.x + 14, box.y + 19, 'group-name', name)}</g>"
    )


def _task(node: Node, box: Box) -> str:
    parts = [f"<g><title>{escape(_xml(_hover(node)))}</title>"]
    if node.mapped:
        parts.append(_rect(Box(box.x + 4, box.y + 4, box.width, box.height), "stack", radius=7))
    parts.append(_rect(box, "task" if node.kind == "task" else "missing", radius=7))
    if node.kind == "task":
        parts.append(_bar(Box(box.x + 5, box.y + 8, 3, box.height - 16), family_of(node.operator)))
    room = box.width - 24
    parts.append(_text(box.x + 15, box.y + 20, "name", shorten(heading(node), room)))
    parts.append(_text(box.x + 15, box.y + 36, "what", shorten(caption(node), room, 11)))
    return "".join([*parts, "</g>"])


def _hover(node: Node) -> str:
    return "\n".join(part for part in (node.id, node.operator, node.tooltip) if part)


def _wire(wire: Wire, graph: Graph) -> str:
    backward = wire.points[-1][0] <= wire.points[0][0]  # it closes a cycle
    wrong = backward or graph.nodes[wire.edge.source].kind == "missing"
    kinds = ["wire", *(["teardown"] if wire.edge.kind == "teardown" else []), *(["wrong"] if wrong else [])]
    path = _detour(wire.points[0], wire.points[-1]) if backward else _curve(wire.points)
    tip = "tip-wrong" if wrong else "tip"
    return f'<path class="{" ".join(kinds)}" d="{path}" marker-end="url(#{tip})"/>'


def _curve(points: Sequence[Point]) -> str:
    d = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if abs(y1 - y0) < _LEVEL:
            d.append(f"H{x1:.1f}")
        else:
            middle = (x0 + x1) / 2
            d.append(f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
    return "".join(d)


def _detour(start: Point, end: Point) -> str:
    """Lead back below the row, out of the source's right side and into the target's left."""
    (x0, y0), (x1, y1) = start, end
    low = max(y0, y1) + 31
    out = f"C{x0 + _BEND:.1f} {y0:.1f} {x0 + _BEND:.1f} {low:.1f} {x0:.1f} {low:.1f}"
    into = f"C{x1 - _BEND:.1f} {low:.1f} {x1 - _BEND:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    return f"M{x0:.1f} {y0:.1f}{out}H{x1:.1f}{into}"


def _rect(box: Box, kind: str, *, radius: float) -> str:
    place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
    return f'<rect{f" class={quoteattr(kind)}" if kind else ""} {place} rx="{radius}"/>'


def _text(x: float, y: float, kind: str, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(_xml(text))}</text>'


def _xml(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(char for char in text if char in "\t\n" or char.isprintable())
