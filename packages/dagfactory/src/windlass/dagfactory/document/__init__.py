"""Config files as plain data, with the place of everything in them at hand when a mistake must be shown."""

from __future__ import annotations

from windlass.dagfactory.document.document import Document
from windlass.dagfactory.document.limits import MAX_BYTES, MAX_DEPTH
from windlass.dagfactory.document.parse import parse_document, suffix_of
from windlass.dagfactory.document.read import read_bytes
from windlass.dagfactory.document.scan import Problem

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Document", "Problem", "parse_document", "read_bytes", "suffix_of"]
