"""A module that cannot be imported, as one whose dependency is of the wrong release."""

raise RuntimeError("of the wrong release")
