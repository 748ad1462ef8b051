"""What names of tasks and groups mean, and which ids Airflow gives them: the rules of nested groups, once."""

from __future__ import annotations

__all__ = ["Scope"]


class Scope:
    """The names that one `tasks` object gives to ids.

    Args:
        parent: The scope around it.
        prefix: What ids here begin with.
    """

    __slots__ = ("all_ids", "ids", "parent", "prefix")

    def __init__(self, parent: Scope | None = None, prefix: str = "") -> None:
        self.ids: dict[str, str] = {}
        self.parent = parent
        self.prefix = prefix
        self.all_ids: set[str] = set() if parent is None else parent.all_ids

    def inside(self, group_id: str, *, prefixed: bool) -> Scope:
        """Make the scope of a group.

        Args:
            group_id: The group's id.
            prefixed: Whether ids inside begin with it; if not, they begin with no group's at all.
        """
        return Scope(self, f"{group_id}." if prefixed else "")

    def add(self, name: str, node_id: str) -> None:
        """Give a name to an id."""
        self.ids[name] = node_id
        self.all_ids.add(node_id)

    def find(self, name: str) -> str | None:
        """Find what a name means: a sibling, one of a group around it, or a full id; None for nothing."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ids:
                return scope.ids[name]
            scope = scope.parent
        return name if name in self.all_ids else None

    def names(self) -> list[str]:
        """List what could be written here, nearest first."""
        found: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            found.update(dict.fromkeys(scope.ids))
            scope = scope.parent
        found.update(dict.fromkeys(sorted(self.all_ids)))
        return list(found)
