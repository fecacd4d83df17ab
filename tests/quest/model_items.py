"""Items of the model: what a list becomes, and which of them may begin."""

from tests.quest.model_loops import ENDS, Rounds, key_of


class Items(Rounds):
    """What the model knows of items."""

    def _items(self, whole: str) -> list[str]:
        return [t for t in self.places if self.steps[t].get("of") == whole]

    def _next_in_the_window(self, item: str) -> bool:
        whole = self.steps[item]["of"]
        items, step = self._items(whole), self.steps[whole]
        window = step["max_parallel"] if step["parallel"] else 1
        begun = [t for t in items if self.phase[t] != "pending"]
        under_way = [t for t in begun if self.phase[t] not in ENDS]
        return (
            self.phase[whole] == "spread"
            and items[len(begun)] == item
            and (window is None or len(under_way) < window)
        )

    def expand(self, whole: str, count: int) -> None:
        made_of = {
            "when": False,
            "for_each": False,
            "parallel": True,
            "total_ms": None,
            "plans": False,
            "back_to": None,
        }
        key = key_of(whole)
        for n in range(count):
            item = f"{key}[{n}]{whole.removeprefix(key)}"
            self.places.append(item)
            self.steps[item] = self.steps[whole] | made_of | {"needs": [], "of": whole}
            self.phase[item] = "pending"
            self.choice[item] = self.tried[item] = self.losses[item] = self.completed[item] = 0
        self.move(whole, "spread")
