"""The archive: the history of every quest, as tables that can be asked with SQL."""
