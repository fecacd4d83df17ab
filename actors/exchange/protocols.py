"""Which agents a daemon of this version can talk to: the rule of docs/upgrades.md. Pure.

The daemon is upgraded first: it speaks its own protocol and the one before. With an agent of the older one it uses only what
that one knows, and says so in Welcome. Nothing differs between protocols yet.
"""

from questd.messages import exchange
from questd.messages.exchange import Denied


def unspoken(protocol: int) -> Denied | None:
    """The answer to a Hello of a protocol that this daemon does not speak; None when it does."""
    spoken = exchange.PROTOCOLS_SPOKEN
    if protocol in spoken:
        return None
    words = " and ".join(str(each) for each in spoken)
    advice = (
        "install a newer questd for the agent"
        if protocol < spoken[0]
        else "upgrade the daemon, always before its agents"
    )
    return Denied(
        "protocol",
        f"this daemon speaks protocol {words}, the agent speaks {protocol}: {advice}",
    )
