"""An entity diagram as SVG: no Graphviz, no browser, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from windlass.warehouse.catalog.layout import Box, Layout, arrange
from windlass.warehouse.catalog.mermaid import column_keys, short_type
from windlass.warehouse.catalog.tables import Column, Table

__all__ = ["svg"]

_ROW, _HEAD, _PAD, _MARGIN = 20, 30, 10, 24
_KEY_WIDTH = 52
_GAP_X, _GAP_Y = 120, 28
# Monospaced faces are 0.6 em wide; a little more, so that no viewer's substitute cuts a text.
_CHARACTER, _HEAD_CHARACTER = 7.5, 8.2
_LEGEND = "PK primary key   FK foreign key   UK unique   type in italics: may be null"
_COLOURS = {"fact": "#1f4e79", "dimension": "#1d6b52", "alone": "#4a4f57"}
_STYLE = """
text { font: 12px 'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace; fill: #1f2328; }
.head { font-size: 13px; font-weight: bold; fill: #ffffff; }
.key { font-size: 10px; font-weight: bold; fill: #8a5a00; }
.type { fill: #57606a; }
.null { font-style: italic; }
.note { font-size: 11px; fill: #57606a; }
.box { fill: #ffffff; stroke: #8c959f; }
.line { fill: none; stroke: #57606a; stroke-width: 1.5; }
.end { fill: none; stroke: #57606a; stroke-width: 1.5; }
"""


def svg(tables: Sequence[Table], *, columns: int = 4) -> str:
    """Draw tables, and a line from each foreign key to the key it refers to.

    Args:
        tables: The tables; references to others are left out.
        columns: How many tables without references stand side by side.

    Returns:
        An SVG document.
    """
    by_title = {table.title: table for table in tables}
    arrows = [
        (table.title, each.target) for table in tables for each in table.references if each.target in by_title
    ]
    sizes = {table.title: _size(table) for table in tables}
    layout = arrange(sizes, arrows, gap_x=_GAP_X, gap_y=_GAP_Y, columns=columns, ports=_ports(by_title))
    width = max(layout.width, len(_LEGEND) * _CHARACTER) + 2 * _MARGIN
    height = layout.height + 2 * _MARGIN + _ROW
    names = f"Tables {', '.join(by_title)}"
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(names)}>',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#f6f8fa"/>',
        f'<g transform="translate({_MARGIN} {_MARGIN})">',
        *(line for table in tables for line in _lines(table, by_title, layout)),
        *(line for table in tables for line in _box(table, layout.boxes[table.title], _role(table, arrows))),
        f'<text class="note" xml:space="preserve" x="0" y="{layout.height + _ROW + 8:.0f}">{_LEGEND}</text>',
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _ports(tables: dict[str, Table]) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (table.title, each.target): (
            _down(table, each.columns[0]),
            _down(tables[each.target], each.target_columns[0]),
        )
        for table in tables.values()
        for each in table.references
        if each.target in tables
    }


def _role(table: Table, arrows: Sequence[tuple[str, str]]) -> str:
    if any(target == table.title for _, target in arrows):
        return "dimension"
    return "fact" if any(origin == table.title for origin, _ in arrows) else "alone"


def _size(table: Table) -> tuple[float, float]:
    row = max((len(column.name) + len(short_type(column.type)) for column in table.columns), default=0)
    width = max(_KEY_WIDTH + (row + 2) * _CHARACTER, len(table.title) * _HEAD_CHARACTER) + 2 * _PAD
    return round(width), _HEAD + _ROW * len(table.columns) + _PAD / 2


def _box(table: Table, box: Box, role: str) -> Iterator[str]:
    yield f'<g transform="translate({box.x:.1f} {box.y:.1f})">'
    if table.comment:
        yield f"<title>{escape(table.comment)}</title>"
    yield f'<rect class="box" width="{box.width:.0f}" height="{box.height:.0f}" rx="5"/>'
    rounded = f"M0 {_HEAD}V5a5 5 0 0 1 5-5H{box.width - 5:.0f}a5 5 0 0 1 5 5V{_HEAD}z"
    yield f'<path fill="{_COLOURS[role]}" d="{rounded}"/>'
    yield f'<text class="head" x="{_PAD}" y="20">{escape(table.title)}</text>'
    for number, column in enumerate(table.columns):
        yield from _row(table, column, box, _HEAD + _ROW * number + 15)
    yield "</g>"


def _row(table: Table, column: Column, box: Box, y: int) -> Iterator[str]:
    keys = " ".join(column_keys(table, column.name))
    title = f"<title>{escape(column.comment)}</title>" if column.comment else ""
    if keys:
        yield f'<text class="key" x="{_PAD}" y="{y}">{keys}</text>'
    yield f'<text x="{_PAD + _KEY_WIDTH}" y="{y}">{escape(column.name)}{title}</text>'
    style = "type null" if column.nullable else "type"
    yield (
        f'<text class="{style}" text-anchor="end" x="{box.width - _PAD:.0f}" y="{y}">'
        f"{escape(short_type(column.type))}</text>"
    )


def _lines(table: Table, tables: dict[str, Table], layout: Layout) -> Iterator[str]:
    for reference in table.references:
        target = tables.get(reference.target)
        if target is None:
            continue
        origin_box, target_box = layout.boxes[table.title], layout.boxes[target.title]
        start = origin_box.y + _down(table, reference.columns[0])
        end = target_box.y + _down(target, reference.target_columns[0])
        lanes = layout.lanes.get((table.title, target.title), [])
        yield from _line(origin_box, start, target_box, end, lanes)


def _down(table: Table, column: str) -> float:
    """How far below its box's upper edge a column stands."""
    names = [each.name for each in table.columns]
    return _HEAD + _ROW * names.index(column) + _ROW / 2


def _line(origin: Box, start: float, target: Box, end: float, lanes: Sequence[Box]) -> Iterator[str]:
    """A curve with a crow's foot where many rows refer, and a bar where one is referred to."""
    forward = origin.x < target.x
    is_loop = origin is target
    x, out = (origin.x + origin.width, 1) if forward or is_loop else (origin.x, -1)
    into = 1 if is_loop else -out
    x_end = target.x + target.width if into > 0 else target.x
    path = [f"M{x:.1f} {start:.1f}H{x + 12 * out:.1f}"]
    at = (x + 12 * out, start)
    for lane in lanes:
        edges = (lane.x, lane.x + lane.width)
        near, far = edges if out > 0 else edges[::-1]
        path.append(f"{_curve(at, (near, lane.middle), out, -out)}H{far:.1f}")
        at = (far, lane.middle)
    path.append(f"{_curve(at, (x_end + 12 * into, end), out, into)}H{x_end:.1f}")
    yield f'<path class="line" d="{"".join(path)}"/>'
    foot = x + 10 * out
    yield f'<path class="end" d="M{x:.1f} {start - 5:.1f}L{foot:.1f} {start:.1f}L{x:.1f} {start + 5:.1f}"/>'
    bar = x_end + 6 * into
    yield f'<path class="end" d="M{bar:.1f} {end - 5:.1f}V{end + 5:.1f}"/>'


def _curve(one: tuple[float, float], other: tuple[float, float], out: int, into: int) -> str:
    reach = max(abs(other[0] - one[0]) / 2, 24)
    return (
        f"C{one[0] + reach * out:.1f} {one[1]:.1f} {other[0] + reach * into:.1f} {other[1]:.1f} "
        f"{other[0]:.1f} {other[1]:.1f}"
    )
