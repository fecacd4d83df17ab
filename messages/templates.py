"""What a client says to the daemon of stored documents, and what it hears: parts of the control door (control.py)."""

from msgspec import Struct


class AddTemplate(Struct, frozen=True, tag_field="type", tag="template_add"):
    """Keep a definition (canonical bytes) under its name and version, for ever the same. Answered by ``TemplateAdded``."""

    definition: bytes


class ListTemplates(Struct, frozen=True, tag_field="type", tag="template_list"):
    """Stored templates by name; also the ``archived`` ones. Answered by ``Templates``."""

    archived: bool = False


class ReadTemplate(Struct, frozen=True, tag_field="type", tag="template_read"):
    """``name``, or ``name@version``: without one, the newest that is not archived. Answered by ``TemplateText``."""

    name: str


class ArchiveTemplate(Struct, frozen=True, tag_field="type", tag="template_archive"):
    """Hide ``name@version`` (or, not ``archived``, show it again): it is found by its whole name only. Answered by ``Done``."""

    name: str
    archived: bool = True


class RemoveTemplate(Struct, frozen=True, tag_field="type", tag="template_remove"):
    """Forget ``name@version``. Quests that have been submitted are not touched. Answered by ``Done``."""

    name: str


TemplateRequest = AddTemplate | ListTemplates | ReadTemplate | ArchiveTemplate | RemoveTemplate


class TemplateRow(Struct, frozen=True):
    """A stored template without its text."""

    name: str
    version: str
    description: str
    steps: int
    added_us: int
    archived: bool


class Templates(Struct, frozen=True, tag_field="type", tag="templates"):
    """Stored templates by name and version."""

    templates: tuple[TemplateRow, ...]


class TemplateText(Struct, frozen=True, tag_field="type", tag="template_text"):
    """A stored template with its definition, in canonical bytes."""

    template: TemplateRow
    definition: bytes


class TemplateAdded(Struct, frozen=True, tag_field="type", tag="template_added"):
    """It is there; not ``created`` when it was there before, word for word."""

    template: TemplateRow
    created: bool
