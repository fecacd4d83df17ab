"""Child quests and the templates that they come from."""
