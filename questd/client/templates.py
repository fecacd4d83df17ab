"""The part of ``Client`` that keeps templates: ``quest template add`` is ``template_add``."""

from pathlib import Path
from typing import TYPE_CHECKING

from questd.client.home import Home
from questd.messages import control as ctl
from questd.messages import templates as tp
from questd.messages.definition import QuestDefinition, decode_definition, encode_definition

if TYPE_CHECKING:
    from questd.builder import Quest


class TemplatesOfClient:
    """Everything about templates."""

    _home: Home

    def template_add(self, quest: "str | Path | QuestDefinition | Quest") -> tp.TemplateAdded:
        """Keep a document under its name and version. Refused when that version is there and says something else."""
        from questd.client.submitting import definition_of  # noqa: PLC0415 - 80 ms

        data = encode_definition(definition_of(quest))
        return self._home.daemon().ask(tp.AddTemplate(data), tp.TemplateAdded)

    def template_list(self, *, archived: bool = False) -> tuple[tp.TemplateRow, ...]:
        """Stored documents by name and version; with the ``archived`` ones."""
        return self._home.reader().ask(tp.ListTemplates(archived), tp.Templates).templates

    def template_show(self, name: str) -> QuestDefinition:
        """The document of ``name@version``, or of ``name`` the newest that is not archived. NotFound."""
        found = self._home.reader().ask(tp.ReadTemplate(name), tp.TemplateText)
        return decode_definition(found.definition)

    def template_archive(self, name: str, *, archived: bool = True) -> bool:
        """Hide ``name@version``, or show it again: who names the version still finds it. Whether that changed anything."""
        return self._home.daemon().ask(tp.ArchiveTemplate(name, archived), ctl.Done).changed

    def template_remove(self, name: str) -> bool:
        """Forget ``name@version``. Quests that were submitted before go on as they are."""
        return self._home.daemon().ask(tp.RemoveTemplate(name), ctl.Done).changed
