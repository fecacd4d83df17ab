"""Plans of the model: who waits for what somebody has planned, and what a plan may wait for."""

from tests.quest.model_loops import Rounds, Step, key_of


class Plans(Rounds):
    """What the model knows of steps that join."""

    planned: dict[str, list[str]]

    def _release(self) -> None:
        raise NotImplementedError

    def waits_for(self, task: str) -> list[str]:
        """What it needs, and what that has planned, unless it is a part of the same plan."""
        if "of" in self.steps[task]:
            return []
        needs = [self.latest[key] for key in self.loops.waits(key_of(task))]
        plans = [self.planned.get(need, []) for need in needs]
        return needs + [part for plan in plans if task not in plan for part in plan]

    def may_need(self, planner: str) -> list[str]:
        """The steps that a step of its plan may wait for: none that waits for the plan, or is in a loop."""
        steps = [t for t in self.places if not self.loops.around(key_of(t))]
        steps = [t for t in steps if "of" not in self.steps[t]]
        return [t for t in steps if not self._is_behind(planner, [t, *self.planned.get(t, [])])]

    def _is_behind(self, planner: str, tasks: list[str]) -> bool:
        seen, pending = set[str](), [t for t in tasks if t != planner]
        while pending:
            task = pending.pop()
            before = self.waits_for(task)
            if planner in before:
                return True
            pending += [t for t in before if t not in seen]
            seen.update(before)
        return False

    def plan(self, planner: str, steps: dict[str, Step]) -> None:
        self.places += steps
        self.steps |= steps
        self.planned[planner] = list(steps)
        self.loops.document |= steps
        self.latest |= {key: key for key in steps}
        self.taken |= dict.fromkeys(steps, 1)
        for task in steps:
            self.phase[task] = "pending"
            self.choice[task] = self.tried[task] = self.losses[task] = self.completed[task] = 0
        self.phase[planner] = "completed"
        self.completed[planner] += 1
        self._release()
