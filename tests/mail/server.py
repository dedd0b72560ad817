"""A mail server for tests: prints its port, then one JSON line for each letter that it takes."""

import argparse
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Letters:
    """Takes, puts off or refuses letters."""

    def __init__(self, answer):
        self.answer = answer

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.answer:
            return f"{self.answer} no letter to {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        letter = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or server.transport.get_extra_info("cipher") is not None,
            "user": session.authenticated and session.auth_data.login.decode(),
            "text": envelope.content.decode(),
        }
        print(json.dumps(letter), flush=True)
        return "250 OK"


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--answer")
    options = parser.parse_args()
    context = None
    if options.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate, options.key)

    def authenticate(server, session, envelope, mechanism, data):
        known = (options.user or "").encode(), (options.password or "").encode()
        good = isinstance(data, LoginPassword) and (data.login, data.password) == known
        return AuthResult(success=good, handled=good, auth_data=data)

    def connection():
        return SMTP(
            Letters(options.answer),
            tls_context=context if options.tls == "starttls" else None,
            require_starttls=options.tls == "starttls",
            auth_required=options.user is not None,
            auth_require_tls=options.tls == "starttls",
            authenticator=authenticate,
        )

    server = await asyncio.get_running_loop().create_server(
        connection,
        options.host,
        options.port,
        ssl=context if options.tls == "implicit" else None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with whoever started it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
