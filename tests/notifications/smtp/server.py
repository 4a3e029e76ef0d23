"""A real SMTP server for tests: prints its port, and then each message that it has taken, as JSON.

Arguments: `none`, `starttls` or `tls`, and a folder to leave the certificate of its authority in.
With TLS it wants the user `ann` with the password `p@ss`. Mailboxes that begin with `gone` do not
exist, and those that begin with `later` are busy once.
"""

import asyncio
import json
import ssl
import sys

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

mode, folder = sys.argv[1:]
busy = set()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later") and address not in busy:
            busy.add(address)
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode(),
            "tls": session.ssl is not None or mode == "tls",
            "authenticated": bool(session.authenticated),
        }
        print(json.dumps(message), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    # What is not handled here is answered by the server.
    return AuthResult(success=(data.login, data.password) == (b"ann", b"p@ss"), handled=False)


async def main():
    authority = trustme.CA()
    authority.cert_pem.write_to_path(f"{folder}/authority.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    options = {"hostname": "localhost", "enable_SMTPUTF8": True}
    if mode != "none":
        options |= {"auth_required": True, "authenticator": authenticate}
    if mode == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if mode == "tls":
        options |= {"auth_require_tls": False}
    outer = context if mode == "tls" else None
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), **options), "127.0.0.1", 0, ssl=outer
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
