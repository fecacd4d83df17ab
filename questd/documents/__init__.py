"""Documents: text to definition, definition to text, and drawings of it."""

from questd.documents.drawing import draw_mermaid, draw_svg, draw_text
from questd.documents.export import as_document, to_json, to_yaml
from questd.documents.faults import Fault, InvalidDocument
from questd.documents.reading import DOCUMENT_MAX_BYTES, load, load_file
from questd.documents.schema import document_schema

__all__ = [
    "DOCUMENT_MAX_BYTES",
    "Fault",
    "InvalidDocument",
    "as_document",
    "document_schema",
    "draw_mermaid",
    "draw_svg",
    "draw_text",
    "load",
    "load_file",
    "to_json",
    "to_yaml",
]
