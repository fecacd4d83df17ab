"""Child quests: what an attempt of a step with ``use`` is."""
