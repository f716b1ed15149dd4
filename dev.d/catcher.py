"""Catches what Crewline tells others, for ./dev up: mails, and webhooks. Everything is kept in a folder, and shown on a page.

    python3 catcher.py mail FOLDER PORT     a mail server that keeps what it takes
    python3 catcher.py page FOLDER PORT     the page, and POST /hook for webhooks, believed by the secret in FOLDER/secret
"""

import asyncio
import base64
import email
import email.policy
import hashlib
import hmac
import html
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What is kept of each kind; the oldest go first.
KEPT_MAX = 100
# Longest webhook that is read.
BODY_BYTES_MAX = 1024 * 1024
# How far the clock of a signature may be off, in seconds.
TOLERANCE_S = 300

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 0 auto; padding: 1rem }
section { border: 1px solid #8886; border-radius: .5rem; padding: .5rem 1rem; margin: 1rem 0; overflow-x: auto }
h3 { margin: .25rem 0 } small { opacity: .75 } pre { white-space: pre-wrap; overflow-wrap: anywhere }
"""


def keep(folder, extension, content):
    """Writes a file whose name tells when; whoever lists the folder sees it whole or not at all."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{time.time_ns():020}.{extension}")
    with open(path + ".part", "wb") as file:
        file.write(content)
    os.rename(path + ".part", path)
    for old in kept(folder, extension)[KEPT_MAX:]:
        os.remove(old)


def kept(folder, extension):
    """The newest first."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [os.path.join(folder, name) for name in sorted(names, reverse=True) if name.endswith("." + extension)]


def serve_mail(folder, port):
    from aiosmtpd.smtp import SMTP

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            keep(os.path.join(folder, "mails"), "eml", envelope.content)
            return "250 OK"

    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(Handler(), enable_SMTPUTF8=True), "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(serve())


def is_signed(secret, headers, body):
    """As https://www.standardwebhooks.com has it: any of the signatures, over id, time and body."""
    told, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    proof = hmac.new(key, f"{told}.{at}.".encode() + body, hashlib.sha256).digest()
    wanted = b"v1," + base64.b64encode(proof)
    return any(hmac.compare_digest(wanted, given.encode()) for given in headers.get("webhook-signature", "").split())


def mail_in_html(path):
    with open(path, "rb") as file:
        mail = email.message_from_binary_file(file, policy=email.policy.default)
    body = mail.get_body(("plain", "html"))
    text = body.get_content() if body else ""
    shown = [html.escape(str(part or "")) for part in (mail["subject"], mail["to"], mail["date"], text)]
    return "<section><h3>{}</h3><small>to {}, {}</small><pre>{}</pre></section>".format(*shown)


def webhook_in_html(path):
    with open(path, "rb") as file:
        event = json.load(file)
    return "<section><h3>{}</h3><small>signature checked</small><pre>{}</pre></section>".format(
        html.escape(str(event.get("type"))), html.escape(json.dumps(event, indent=2))
    )


class Page(BaseHTTPRequestHandler):
    folder = ""

    def do_GET(self):
        mails = [mail_in_html(path) for path in kept(os.path.join(self.folder, "mails"), "eml")]
        hooks = [webhook_in_html(path) for path in kept(os.path.join(self.folder, "webhooks"), "json")]
        page = (
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>What Crewline told</title><style>{STYLE}</style><h1>What Crewline told</h1>"
            f"<h2>{len(mails)} mails</h2>{''.join(mails)}<h2>{len(hooks)} webhooks</h2>{''.join(hooks)}"
        )
        self.answer(200, page.encode(), "text/html; charset=utf-8")

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if self.path != "/hook" or not 0 < length <= BODY_BYTES_MAX:
            return self.answer(404, b"")
        body = self.rfile.read(length)
        try:
            with open(os.path.join(self.folder, "secret"), encoding="ascii") as file:
                secret = file.read().strip()
        except FileNotFoundError:
            return self.answer(401, b"no secret yet")
        if not is_signed(secret, self.headers, body):
            return self.answer(401, b"not signed as it should be")
        keep(os.path.join(self.folder, "webhooks"), "json", body)
        return self.answer(204, b"")

    def answer(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    what, folder, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if what == "mail":
        serve_mail(folder, port)
    else:
        Page.folder = folder
        ThreadingHTTPServer(("127.0.0.1", port), Page).serve_forever()


main()
