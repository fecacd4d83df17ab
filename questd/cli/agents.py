"""``agent list``, ``show``, ``run`` and ``drain``."""

import argparse
import os
import time
from typing import Any, cast

from questd.cli.codes import DONE
from questd.cli.marks import length
from questd.cli.opening import client_of, home_of
from questd.cli.output import Out, one_line, table
from questd.client.client import Client
from questd.messages.control import InstanceView, ToolView
from questd.runtime.errors import QuestdError
from questd.views.times import rfc3339

TOOL_COLUMNS = ("attempts", "completed", "failed", "lost", "success_rate", "p50_ms", "p95_ms")


def list_agents(options: argparse.Namespace, out: Out) -> int:
    """One row an instance, then what is asked for in vain."""
    with client_of(options) as client:
        instances = client.agent_list()
        missing = client.missing().wanted
    if out.as_json:
        wanted = [
            {"agent": agent or None, "capabilities": tags, "tasks": tasks, "since": rfc3339(since)}
            for agent, tags, tasks, since in missing
        ]
        out.document({"agents": [instance_data(one) for one in instances], "missing": wanted})
        return DONE
    if instances:
        columns = ("AGENT", "INSTANCE", "STATE", "BUSY", "DONE", "FAILED", "TOOLS", "SINCE")
        rows = [_row(one) for one in instances]
        out.draw(table(columns, rows, right=("BUSY", "DONE", "FAILED", "SINCE")))
    else:
        out.say("no agent is connected: quest agent run MODULE:ATTRIBUTE")
    for agent, tags, tasks, since in missing:
        out.say(missing_text(agent, tags, tasks, since), style="yellow")
    return DONE


def missing_text(agent: str, tags: tuple[str, ...], tasks: int, since_us: int) -> str:
    """Who is missing, who waits, since when."""
    who = f"agent {agent}" if agent else "agent"
    able = f" with {', '.join(tags)}" if tags else ""
    count = "1 task waits" if tasks == 1 else f"{tasks} tasks wait"
    for_long = length(max(0.0, time.time_ns() / 1_000 - since_us) / 1_000)
    return f"no {who}{able} is connected: {count} for {for_long}"


def _row(one: InstanceView) -> tuple[Any, ...]:
    busy = f"{one.in_flight}/{one.capacity}" + (f" ({one.stuck} stuck)" if one.stuck else "")
    since = length((time.time_ns() / 1_000 - one.connected_us) / 1_000)
    tools = one_line(" ".join(tool.name for tool in one.tools), 60)
    state = "draining" if one.draining else "stuck" if one.stuck >= one.capacity else "ready"
    return (
        one.agent,
        one.instance[:8],
        state,
        busy,
        str(one.completed),
        str(one.failed),
        tools,
        since,
    )


def instance_data(one: InstanceView) -> dict[str, Any]:
    """An instance as JSON: times as text, schemas as values."""
    import msgspec  # noqa: PLC0415

    data: dict[str, Any] = msgspec.to_builtins(one)
    for name in ("connected", "heard"):
        data[f"{name}_at"] = rfc3339(data.pop(f"{name}_us"))
    return data


def show(options: argparse.Namespace, out: Out) -> int:
    """Its instances, its tools with their parameters, and how they have done by the history."""
    with client_of(options) as client:
        instances = client.agent_show(options.name)
        record = _record(client, options.name, out)
    if out.as_json:
        shown = [instance_data(one) for one in instances]
        out.document({"agent": options.name, "instances": shown, "tools": record})
        return DONE
    columns = ("AGENT", "INSTANCE", "STATE", "BUSY", "DONE", "FAILED", "TOOLS", "SINCE")
    out.draw(table(columns, map(_row, instances), right=("BUSY", "DONE", "FAILED", "SINCE")))
    for one in instances:
        labels = " ".join(f"{name}={value}" for name, value in one.labels.items())
        tags = " ".join(one.capabilities)
        place = f"{one.instance[:8]}  {one.host} process {one.pid}, {one.sdk}"
        out.text("  ".join(part for part in (place, tags, labels) if part))
    out.text("")
    for tool in {tool.name: tool for one in instances for tool in one.tools}.values():
        _draw_tool(tool, record.get(tool.name), out)
    return DONE


def _record(client: Client, agent: str, out: Out) -> dict[str, dict[str, Any]]:
    """Each tool's figures from the history; none when that cannot be asked."""
    try:
        table_ = client.stats(["by_tool"])["by_tool"]
    except QuestdError as error:
        out.say(f"the history cannot be asked: {error}")
        return {}
    rows = [row for row in table_.records() if row["agent"] == agent]
    return {row["tool"]: {name: row[name] for name in TOOL_COLUMNS} for row in rows}


def _draw_tool(tool: ToolView, figures: dict[str, Any] | None, out: Out) -> None:
    limit = f"  at most {length(tool.timeout_ms)}" if tool.timeout_ms else ""
    once = "" if tool.idempotent else "  not to be repeated blindly"
    out.text(f"{tool.name}({', '.join(_parameters(tool.input_schema))}){limit}{once}")
    if tool.description:
        out.text(f"    {one_line(tool.description)}")
    if figures:
        rate = figures["success_rate"]
        success = "" if rate is None else f"{rate:.0%} succeed, "
        times = f"p50 {length(figures['p50_ms'])}, p95 {length(figures['p95_ms'])}"
        out.text(f"    {figures['attempts']} attempts, {success}{times}")


def _parameters(schema: Any) -> list[str]:
    """``name: type`` for each, with ``?`` where it may be left out."""
    whole = _object(schema)
    name = str(whole.get("$ref", "")).removeprefix("#/$defs/")
    whole = _object(_object(whole.get("$defs")).get(name, whole))
    known, required = _object(whole.get("properties")), whole.get("required", ())
    return [
        f"{name}{'' if name in required else '?'}: {_object(kind).get('type', 'any')}"
        for name, kind in known.items()
    ]


def _object(value: Any) -> dict[str, Any]:
    """A stranger's schema may be anything."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def run(options: argparse.Namespace, out: Out) -> int:
    """Works in this process until it is drained; finds the daemon of the data directory when no address is given."""
    import logging  # noqa: PLC0415

    from questd.agent.agent import CONNECT_VARIABLE  # noqa: PLC0415
    from questd.agent.load import load_agent  # noqa: PLC0415

    level = logging.DEBUG if out.verbose else logging.WARNING if out.quiet else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(message)s")
    agent = load_agent(options.agent)
    url = options.connect or os.environ.get(CONNECT_VARIABLE) or _exchange(options)
    agent.run(
        url,
        token_file=options.token_file,
        tls_authority=options.tls_authority,
        tls_certificate=options.tls_certificate,
        tls_key=options.tls_key,
        tls_server_name=options.tls_server_name,
    )
    return DONE


def _exchange(options: argparse.Namespace) -> str:
    from questd.client.address import need_daemon  # noqa: PLC0415

    return need_daemon(home_of(options).settings.data).exchange[0]


def drain(options: argparse.Namespace, out: Out) -> int:
    """Running attempts may end; nothing new is given."""
    with client_of(options) as client:
        changed = client.agent_drain(options.name, instance=options.instance)
    if out.as_json:
        out.document({"agent": options.name, "changed": changed})
    else:
        out.say(
            f"{options.name} gets no new work"
            if changed
            else f"{options.name} was draining already"
        )
    return DONE
