"""Pictures of a DAG from its config alone: SVG and Mermaid, without Airflow or Graphviz."""

from __future__ import annotations

from windlass.dagfactory.graph.mermaid import to_mermaid
from windlass.dagfactory.graph.read import Edge, Graph, Node, read_graph
from windlass.dagfactory.graph.svg import to_svg

__all__ = ["Edge", "Graph", "Node", "read_graph", "to_mermaid", "to_svg"]
