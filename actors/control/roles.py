"""What a client of another host may ask, by its role. Pure.

Each role may all that those before it may. A request that is in no row is nobody's: who adds one says whose it is.
"""

from collections.abc import Mapping
from typing import Final

from questd.messages import control as ctl
from questd.messages import templates as tp
from questd.messages.control import Error, Request
from questd.messages.remote import Role

ROLES: Final[tuple[Role, ...]] = ("viewer", "operator", "admin")

NEEDED: Final[Mapping[type[Request], Role]] = {
    ctl.Ping: "viewer",
    ctl.ReadQuest: "viewer",
    ctl.ReadBlobs: "viewer",
    ctl.ListQuests: "viewer",
    ctl.ListAgents: "viewer",
    ctl.Missing: "viewer",
    ctl.ListSchedules: "viewer",
    tp.ListTemplates: "viewer",
    tp.ReadTemplate: "viewer",
    ctl.Submit: "operator",
    ctl.CancelQuest: "operator",
    ctl.ResolveTask: "operator",
    ctl.SendSignal: "operator",
    ctl.DrainAgent: "operator",
    ctl.AddSchedule: "operator",
    ctl.ChangeSchedule: "operator",
    ctl.PauseSchedule: "operator",
    ctl.ResumeSchedule: "operator",
    ctl.RemoveSchedule: "operator",
    ctl.BackfillSchedule: "operator",
    tp.AddTemplate: "operator",
    tp.ArchiveTemplate: "operator",
    tp.RemoveTemplate: "operator",
    ctl.StopDaemon: "admin",
}


def refusal(role: Role, request: Request) -> Error | None:
    """Why somebody in that role is not answered; None when it may ask that."""
    able = allowed(type(request))
    if role in able:
        return None
    word = str(request.__struct_config__.tag).replace(".", " ").replace("_", " ")
    advice = f"that takes the token of {' or '.join(able)}" if able else "nobody from afar may"
    return Error("refused", f"{role} may not {word}: {advice}")


def allowed(kind: type[Request]) -> tuple[Role, ...]:
    """The roles that may ask this."""
    needed = NEEDED.get(kind)
    return () if needed is None else ROLES[ROLES.index(needed) :]
