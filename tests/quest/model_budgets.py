"""What the model knows of its budget: who asks for more, and for how much it may go on."""

ENOUGH = 9
"""What a person grants."""
MORE = b'{"tokens": %d}' % ENOUGH


class Budgets:
    phase: dict[str, str]
    asking: list[str]
    quest: str
    used: int
    most: int | None
    asker: str | None

    def could_run(self) -> list[str]:
        raise NotImplementedError

    def move(self, task: str, phase: str) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError

    def spent(self) -> bool:
        return self.most is not None and self.used >= self.most

    def asks_for_budget(self, task: str) -> bool:
        return self.asker == task and self.phase[task] == "waiting"

    def ask_for_budget(self) -> None:
        """One task asks for the whole quest, and nobody asks for a place meanwhile."""
        able = self.asking or self.could_run()
        asked = self.asker is not None and self.asks_for_budget(self.asker)
        if self.quest == "active" and self.spent() and able and not asked:
            self.asker, self.asking = able[0], []
            self.phase[self.asker] = "waiting"

    def answer(self, task: str, choice: str) -> None:
        if choice == "more":
            self.most = self.used + ENOUGH
        self.move(task, "ready")
        if choice == "fail":
            self._stop()
