"""A graph as Mermaid text, for Markdown pages that draw it."""

from __future__ import annotations

from windlass.dagfactory.graph.layout import caption
from windlass.dagfactory.graph.read import Graph, Node

__all__ = ["to_mermaid"]

_INDENT = "    "


def to_mermaid(graph: Graph) -> str:
    """Write a Mermaid flowchart; groups are subgraphs, mapped tasks have the frame of a subroutine."""
    ids = {node_id: f"n{number}" for number, node_id in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    _level(graph, None, 1, ids, lines)
    for edge in graph.edges:
        arrow = "-.->" if edge.kind == "teardown" else "-->"
        lines.append(f"{_INDENT}{ids[edge.source]} {arrow} {ids[edge.target]}")
    missing = [ids[node.id] for node in graph.nodes.values() if node.kind == "missing"]
    if missing:
        lines.append(f"{_INDENT}classDef missing stroke:#c62828,stroke-dasharray:4")
        lines.append(f"{_INDENT}class {','.join(missing)} missing")
    return "\n".join(lines) + "\n"


def _level(graph: Graph, group: str | None, depth: int, ids: dict[str, str], lines: list[str]) -> None:
    indent = _INDENT * depth
    for node in graph.inside(group):
        name = ids[node.id]
        if node.kind == "group":
            lines.append(f'{indent}subgraph {name}["{_escape(node.shown or node.name)}"]')
            _level(graph, node.id, depth + 1, ids, lines)
            lines.append(f"{indent}end")
        else:
            opening, closing = ("[[", "]]") if node.mapped else ("[", "]")
            lines.append(f'{indent}{name}{opening}"{_label(node)}"{closing}')


def _label(node: Node) -> str:
    below = caption(node)
    name = _escape(node.shown or node.name)
    return f"{name}<br/><small>{_escape(below)}</small>" if below else name


def _escape(text: str) -> str:
    """Write what Mermaid would read as syntax by its code point."""
    return "".join(char if char.isalnum() or char in " _-.,:/·" else f"#{ord(char)};" for char in text)
