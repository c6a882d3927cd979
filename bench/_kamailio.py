"""Kamailio 5.6 from Debian as a registrar that does the same work as ours: digest with counted nonces, usrloc, a 200
that lists the bindings."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import psycopg

from bench._accounts import DOMAIN, FIRST_NUMBER, SECRET
from bench._processes import BenchError
from intercom_core.security.sip import ha1

PACKAGES = ("kamailio", "kamailio-sqlite-modules", "kamailio-postgres-modules", "kamailio-tls-modules")
TABLES = Path("/usr/share/kamailio")

CONFIG = """\
debug=1
log_stderror=yes
listen=udp:127.0.0.1:{port}
children={children}
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
server_header="Server: bench"

loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "htable.so"
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "db_sqlite.so"
loadmodule "db_postgres.so"

modparam("htable", "db_url", "sqlite:///{credentials}")
modparam("htable", "htable", "ha1=>size={buckets};dbtable=htable;")
modparam("auth", "nonce_expire", 600)
modparam("auth", "qop", "auth")
modparam("auth", "nonce_count", 1)
modparam("usrloc", "hash_size", {buckets})
modparam("usrloc", "db_mode", {db_mode})
{db_url}
modparam("registrar", "default_expires", 300)
modparam("registrar", "min_expires", 60)
modparam("registrar", "max_expires", 3600)
modparam("registrar", "max_contacts", 10)

request_route {{
    if (method != "REGISTER") {{
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }}
    if ($au != $null && pv_auth_check("{domain}", "$sht(ha1=>$au)", "1", "1")) {{
        save("location");
        exit;
    }}
    auth_challenge("{domain}", "1");
}}
"""


def install() -> None:
    """Installs the packages when they are missing and we are root; the service that comes along is switched off."""
    if shutil.which("kamailio"):
        return
    if os.geteuid() != 0:
        raise BenchError(f"the peer is missing: apt-get install {' '.join(PACKAGES)}")
    print(f"installing {' '.join(PACKAGES)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        subprocess.run(["apt-get", "-qq", *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    if Path("/run/systemd/system").exists():
        subprocess.run(["systemctl", "disable", "--now", "kamailio"], check=True)


def write(folder: Path, port: int, children: int, aors: int, database: str) -> Path:
    """Returns the configuration file. `database`: `host:port` of a PostgreSQL to write through to, empty: none."""
    credentials = folder / "credentials.db"
    _write_credentials(credentials, aors)
    if database:
        _create_location(database)
    path = folder / "kamailio.cfg"
    path.write_text(
        CONFIG.format(
            port=port,
            children=children,
            credentials=credentials,
            buckets=min(max(aors.bit_length(), 10), 20),
            db_mode=1 if database else 0,
            db_url=f'modparam("usrloc", "db_url", "postgres://postgres@{database}/bench")' if database else "",
            domain=DOMAIN,
        )
    )
    return path


def _write_credentials(path: Path, aors: int) -> None:
    with sqlite3.connect(path) as connection:
        for script in ("standard", "htable"):
            connection.executescript((TABLES / "db_sqlite" / f"{script}-create.sql").read_text())
        connection.executemany(
            "INSERT INTO htable (key_name, key_type, value_type, key_value) VALUES (?, 0, 0, ?)",
            ((n, ha1(n, DOMAIN, SECRET).md5) for n in map(str, range(FIRST_NUMBER, FIRST_NUMBER + aors))),
        )
    connection.close()


def _create_location(database: str) -> None:
    """A database `bench` with nothing in it but Kamailio's tables."""
    server = f"postgresql://postgres@{database}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bench WITH (FORCE)")
        connection.execute("CREATE DATABASE bench")
    with psycopg.connect(f"{server}/bench") as connection:
        for script in ("standard", "usrloc"):
            connection.execute((TABLES / "postgres" / f"{script}-create.sql").read_text())
