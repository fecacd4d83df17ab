"""The same strangers at a control door for other hosts: whatever gets in there brought a token, and only what its role may ask."""

from questd.actors.control.roles import allowed
from questd.daemon.doors import request_in
from questd.daemon.gatekeeper import Gatekeeper
from questd.messages.control import Error
from questd.messages.remote import encode_borne
from tests.fuzz.place import Fault

TOKEN = "a viewer's, which no stranger guesses"
KEEPER = Gatekeeper({"viewer": TOKEN, "admin": TOKEN * 2}, "fuzzed", lambda *_, **__: None)


def from_afar(body: bytes) -> None:
    """Fault when it is a request without a token, or with a viewer's more than a viewer may ask."""
    if not isinstance(request_in(body, 0, KEEPER), Error):
        raise Fault("a request without a token passed the gatekeeper")
    found = request_in(encode_borne(TOKEN, body), 0, KEEPER)
    if not isinstance(found, Error) and "viewer" not in allowed(type(found)):
        raise Fault(f"a viewer was let in with {found!r}")
