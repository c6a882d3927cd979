"""REGISTER and digest from the client's side (RFC 3261 §10.2, §22): what to send, what answers mean. No sockets."""

from __future__ import annotations

from random import Random

from simulator.account import Account
from simulator.digest import Challenge, Credentials, choose
from simulator.sip_text import Request, Response, parameter
from simulator.sip_transaction import SipError

LONGEST_EXPIRES_SECONDS = 7 * 86_400
# A challenge, a stale nonce, too brief an interval, and one more challenge: then the server goes round in circles.
ROUNDS = 5


class Registration:
    """One Call-ID with its CSeq and nonce count. `address` is the device's own, as host:port."""

    def __init__(self, account: Account, address: str, user_agent: str, rng: Random, *, wrong_secret: bool) -> None:
        self._account = account
        self._address = address
        self._user_agent = user_agent
        self._rng = rng
        secret = "not " + account.secret if wrong_secret else account.secret
        self._credentials = Credentials(account.auth_user, secret)
        self._call_id = f"{self._token()}@{address.rpartition(':')[0]}"
        self._from_tag = self._token()
        self._cseq = 0
        self._challenge: Challenge | None = None
        self._challenge_header = "Authorization"
        self._nonce_count = 0

    def request(self, expires_seconds: int) -> Request:
        """The next REGISTER; 0 seconds removes this device's binding."""
        account, uri = self._account, f"sip:{self._account.server}"
        self._cseq += 1
        name = f'"{account.display_name}" ' if account.display_name.isalnum() else ""
        headers = [
            ("Via", f"SIP/2.0/UDP {self._address};branch=z9hG4bK{self._token()};rport"),
            ("Max-Forwards", "70"),
            ("From", f"{name}<{account.aor}>;tag={self._from_tag}"),
            ("To", f"{name}<{account.aor}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", f"<{self.contact_uri}>"),
            ("Expires", str(expires_seconds)),
            ("User-Agent", self._user_agent),
            ("Allow", "OPTIONS, NOTIFY"),
        ]
        if self._challenge is not None:
            self._nonce_count += 1
            value = self._credentials.authorization(self._challenge, "REGISTER", uri, self._nonce_count, self._token())
            headers.append((self._challenge_header, value))
        return Request(tuple(headers), "REGISTER", uri)

    @property
    def contact_uri(self) -> str:
        return f"sip:{self._account.user}@{self._address}"

    def challenged(self, response: Response, *, answered: bool) -> None:
        """Takes a 401 or 407 for the next request. Raises SipError when it can't help.

        `answered`: the request that was refused carried an answer to a challenge of this same exchange; then only a
        stale nonce is a reason to try again (RFC 7616 §3.3).
        """
        header = "Proxy-Authenticate" if response.status == 407 else "WWW-Authenticate"
        challenge = choose(response.all(header))
        if challenge is None:
            raise SipError("challenge-unknown")
        if answered and not challenge.stale:
            self._challenge = None
            raise SipError("refused")
        self._challenge = challenge
        self._challenge_header = "Proxy-Authorization" if response.status == 407 else "Authorization"
        self._nonce_count = 0

    def granted_seconds(self, response: Response, asked_seconds: int) -> int:
        """What the registrar grants to this contact: its own `expires`, the Expires header, or what was asked."""
        contacts = ",".join(response.all("contact")).split(",")
        own = [parameter(contact, "expires") for contact in contacts if f"<{self.contact_uri}" in contact]
        for text in (*own, response.get("expires")):
            if text.isascii() and text.isdigit():
                return min(int(text[:9]), LONGEST_EXPIRES_SECONDS)
        return asked_seconds

    def _token(self) -> str:
        return f"{self._rng.getrandbits(64):016x}"


def longer_interval(response: Response, asked_seconds: int) -> int:
    """The Min-Expires of a 423 (RFC 3261 §10.2.8). Raises SipError when it is no reason to ask again."""
    text = response.get("min-expires")
    if not (text.isascii() and text.isdigit()) or not asked_seconds < int(text[:9]) <= LONGEST_EXPIRES_SECONDS:
        raise SipError("423")
    return int(text)
