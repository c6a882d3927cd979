"""`intercom-suite`: the one command of an installation."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from intercom_core.config.fields import Listen
from intercom_core.config.load import ConfigError, load_settings
from intercom_core.config.settings import Settings
from intercom_core.model.errors import SuiteError
from intercom_core.runtime.lock import lock_data_dir
from intercom_core.runtime.role import configure_logging
from intercom_core.runtime.setup import FIRST_LOGIN, create_distributor, create_first_distributor, prepare
from intercom_core.runtime.supervisor import StartError, Supervisor, daemon_commands
from intercom_core.security.certificates import ServerCertificates
from intercom_core.telemetry import log, redaction

ROLES = ("sipd", "provisiond", "admin_api")

_log = log.get("suite")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, 1 with one clear line on stderr, or 70 for a fault of ours that the log explains."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load_settings(arguments.config, os.environ)
        run: Callable[[Settings, argparse.Namespace], int] = arguments.call
        return run(settings, arguments)
    except ConfigError as error:
        for problem in error.problems:
            print(f"intercom-suite: {problem}", file=sys.stderr)
    except SuiteError as error:
        print(f"intercom-suite: {error.message}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="intercom-suite", description="Runs the intercom systems of buildings.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, call: Callable[[Settings, argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--config", type=Path, help="TOML file (default: conf/suite.toml if present)")
        command.set_defaults(call=call)
        return command

    run = add("run", _run, "Start the suite, or one daemon of it with --role.")
    run.add_argument("--role", choices=ROLES, help="only this daemon, in this process")
    add("migrate", _migrate, "Create or update the database, the key files and the number pools.")
    add("check-config", _check_config, "Check the configuration and print it with every default.")
    create = add("create-distributor", _create_distributor, "Add a distributor; the password is read from stdin.")
    create.add_argument("--login", required=True)
    return parser


def _migrate(settings: Settings, _arguments: argparse.Namespace) -> int:
    prepare(settings).close()
    print("The database is up to date.")
    return 0


def _check_config(settings: Settings, _arguments: argparse.Namespace) -> int:
    if settings.sipd.tls is not None:
        ServerCertificates(settings.sipd.tls_files, settings.sipd.tls_client_ca)
    for section, value in settings:
        if isinstance(value, Path):
            print(f"{section} = {_toml(value)}")
            continue
        for key, item in value:
            print(f"{section}.{key} = {_toml(item)}")
    return 0


def _toml(value: object) -> str:
    shown = "" if value is None else redaction.scrub(value)
    return json.dumps(shown, default=str, ensure_ascii=False)


def _create_distributor(settings: Settings, arguments: argparse.Namespace) -> int:
    store = prepare(settings)
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    create_distributor(store, arguments.login, password)
    store.close()
    print(f"The distributor {arguments.login} is there.")
    return 0


def _run(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.role:
        options = ["--config", str(arguments.config)] if arguments.config else []
        os.execv(sys.executable, [sys.executable, "-m", f"{arguments.role}.main", *options])  # noqa: S606
    return _Suite(settings, arguments.config).run()


class _Suite:
    """One supervised run of all daemons."""

    def __init__(self, settings: Settings, config: Path | None) -> None:
        self._settings = settings
        self._config = config
        self._began = time.monotonic()
        self._exit_code = 0
        self._ending = False
        self._up = False

    def run(self) -> int:
        configure_logging("suite", self._settings)
        lock = lock_data_dir(self._settings.data_dir)
        self._store = prepare(self._settings)
        from twisted.internet import reactor

        self._reactor: Any = reactor
        log.capture_twisted()
        self._supervisor = Supervisor(reactor, daemon_commands(ROLES, self._config), keep_open=lock)
        self._reactor.callWhenRunning(lambda: Deferred.fromCoroutine(self._start()))
        self._reactor.addSystemEventTrigger("before", "startup", self._take_signals)
        self._reactor.run()
        return self._exit_code

    def _take_signals(self) -> None:
        # The reactor has installed its own handlers by now (it needs SIGCHLD); these two are ours.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self._end))

    async def _start(self) -> None:
        try:
            await self._supervisor.start()
            # Only now: a start that fails must not use up the one showing of the password.
            self._greet(create_first_distributor(self._store))
        except Exception as error:
            self._fail(error)
            await self._stop()
        else:
            self._up = True
        finally:
            self._store.close()

    def _fail(self, error: Exception) -> None:
        told = isinstance(error, StartError) and error.told
        self._exit_code = 1 if told else 70
        if isinstance(error, StartError) and not told:
            print(f"intercom-suite: {error.message}", file=sys.stderr)
        elif not told:
            _log.error("start_failed", exc_info=error)

    def _greet(self, password: str | None) -> None:
        api = _url(self._settings.admin_api.http)
        print(f"API      {api}/api/v1   (description: {api}/api/v1/openapi.json)")
        print(f"console  {api}/console/")
        print(f"devices  {self._settings.provisioning_url}/   SIP {self._settings.sipd.domain}")
        if password:
            print(f"distributor login: {FIRST_LOGIN}")
            print(f"distributor password: {password}")
            print("(shown once; change it after the first login)")
        print(f"ready in {time.monotonic() - self._began:.1f} s", flush=True)

    def _end(self) -> None:
        if not self._ending:
            Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._ending = True
        await self._supervisor.stop()
        self._reactor.stop()
        if self._up:
            print("stopped", flush=True)


def _url(listen: Listen | None) -> str:
    if listen is None:
        return "(off)"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(listen.host, listen.host)
    return f"http://{host}:{listen.port}"


if __name__ == "__main__":
    sys.exit(main())
