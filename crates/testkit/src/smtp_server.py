"""A mail server for one test: python3 -c "$this" FOLDER PORT open|starttls|wrapped. What a mail is addressed to says how it
is treated. One that is not open wants the user crew with the password secret, and has its certificate in FOLDER."""

import asyncio
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

FOLDER, PORT, HOW = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Handler:
    """Keeps what it takes, each mail in a file of its own: the recipient on the first line, then the mail."""

    def __init__(self):
        self.seen = set()
        self.kept = 0

    def is_first(self, address, step):
        new = (address, step) not in self.seen
        self.seen.add((address, step))
        return new

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("greylisted") and self.is_first(address, "rcpt"):
            return "451 4.7.1 Greylisted, come back later"
        if address.startswith("nobody"):
            return "550 5.1.1 No such user here"
        if address.startswith("refused"):
            return "554 5.7.1 We do not want this"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        if address.startswith("full") and self.is_first(address, "data"):
            return "452 4.3.1 No room, come back later"
        self.kept += 1
        path = os.path.join(FOLDER, f"{self.kept:06}")
        with open(path + ".part", "wb") as file:
            file.write(address.encode() + b"\n" + envelope.content)
        os.rename(path + ".part", path + ".eml")
        if address.startswith("dropped"):
            # It has the mail, and the line breaks before it can say so.
            server.transport.abort()
        return f"250 OK kept as {self.kept}"


def let_in(server, session, envelope, mechanism, login):
    return AuthResult(success=(login.login, login.password) == (b"crew", b"secret"), handled=False)


async def serve():
    handler = Handler()
    loop = asyncio.get_running_loop()
    wants, secrets = {}, None
    if HOW != "open":
        secrets = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secrets.load_cert_chain(os.path.join(FOLDER, "cert.pem"), os.path.join(FOLDER, "key.pem"))
        wants = {"auth_required": True, "authenticator": let_in}
    if HOW == "starttls":
        wants |= {"tls_context": secrets, "require_starttls": True, "auth_require_tls": True}
    elif HOW == "wrapped":
        wants |= {"auth_require_tls": False}
    server = await loop.create_server(
        lambda: SMTP(handler, enable_SMTPUTF8=True, **wants),
        "127.0.0.1",
        PORT,
        ssl=secrets if HOW == "wrapped" else None,
    )
    await server.serve_forever()


asyncio.run(serve())
