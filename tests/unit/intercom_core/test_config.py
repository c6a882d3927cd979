"""Configuration: strict, all mistakes at once, by their dotted path."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from intercom_core.config.fields import Listen
from intercom_core.config.load import ConfigError, load_settings
from intercom_core.config.settings import PROVISIONING_URL_LIMIT
from intercom_core.suite import main


def _load(tmp_path: Path, text: str, **environ: str) -> object:
    path = tmp_path / "suite.toml"
    path.write_text(text)
    return load_settings(path, environ)


def _problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text, **environ)
    return caught.value.problems


def test_defaults_need_no_file() -> None:
    settings = load_settings(None, {})
    assert settings.database_url == f"sqlite:///{Path.cwd() / 'var' / 'suite.db'}"
    assert settings.provisioning_url == "http://localhost:8080"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text('data_dir = "/a"\n[sipd]\ndomain = "file.example"\nudp = "127.0.0.1:1"\n')
    settings = load_settings(path, {"INTERCOM_SIPD__DOMAIN": "env.example", "INTERCOM_DATA_DIR": "/b", "PATH": "/bin"})
    assert (settings.sipd.domain, settings.sipd.udp) == ("env.example", Listen("127.0.0.1", 1))
    assert settings.data_dir == Path("/b")


def test_every_mistake_is_told_at_once_with_its_path(tmp_path: Path) -> None:
    problems = _problems(
        tmp_path,
        '[sipd]\nudp = "localhost"\nport = 5\n[numbers]\nfamily = "9-1"\n[nonsense]\n',
        INTERCOM_PROVISIOND__CLAIM_WINDOW_HOURS="0",
        INTERCOM_TYPO__X="1",
    )
    assert [problem.split(":")[0] for problem in problems] == [
        "sipd.udp",
        "sipd.port",
        "provisiond.claim_window_hours",
        "numbers.family",
        "nonsense",
        "typo",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[numbers]\nfamily = "5000-5999"\npersonal = "5500-6500"\n', "overlap"),
        ("[sipd]\nmin_expires_seconds = 600\n", "must ascend"),
        ('[provisiond]\nhttps = "0.0.0.0:443"\n', "does not serve it yet"),
        ('[sipd]\ndomain = "two words"\n', "host name"),
        ('[sipd]\nudp = "localhost:5060"\n', "sipd.udp"),
        ('[database]\nurl = "nonsense"\n', "database.url: must be"),
        ('[database]\nurl = "sqlite://"\n', "database.url: must be"),
        ('[database]\nurl = "mysql://suite@db/suite"\n', "database.url: must be"),
        ('[database]\nurl = "postgresql://suite@db:port/suite"\n', "database.url: must be"),
        ('[sipd]\nudp = "127.0.0.1:65536"\n', "sipd.udp"),
        (f'[provisiond]\npublic_url = "http://{"p" * 73}"\n', "provisiond.public_url: devices take at most 79"),
        (f'[sipd]\ndomain = "{"d" * 68}"\n', "provisiond.public_url: devices take at most 79"),
        ("[sipd]\ndigest_algorithms = []\n", "sipd.digest_algorithms"),
        ('[sipd]\ndigest_algorithms = ["SHA-512"]\n', "sipd.digest_algorithms"),
        ('[sipd]\ntls = "0.0.0.0:5061"\n', "sipd: tls needs tls_certificate and tls_key"),
        ('[sipd]\ntls = "0.0.0.0:5061"\ntls_certificate = "a"\n', "sipd: tls needs tls_certificate and tls_key"),
        ('[sipd]\ntls_extra = ["a.crt"]\n', "a certificate and its key look like"),
        ("[sipd]\nmax_connections = 0\n", "sipd.max_connections"),
        ("[sipd\n", "suite.toml"),
        ("sipd = 5\n", "sipd"),
    ],
)
def test_what_can_not_work_is_refused(tmp_path: Path, text: str, told: str) -> None:
    assert any(told in problem for problem in _problems(tmp_path, text))


def test_the_longest_url_that_devices_take(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(f'[provisiond]\npublic_url = "http://{"p" * 72}/"\n')
    assert len(load_settings(path, {}).provisioning_url) == PROVISIONING_URL_LIMIT


def test_the_example_file_shows_every_key_with_its_default() -> None:
    example = Path(__file__).parents[3] / "conf" / "suite.example.toml"
    shown = {
        f"{section}.{key}"
        for section, value in tomllib.loads(example.read_text()).items()
        if isinstance(value, dict)
        for key in value
    }
    defaults = load_settings(None, {})
    known = {f"{section}.{key}" for section, value in defaults if isinstance(value, BaseModel) for key, _ in value}
    not_served_yet = {f"provisiond.{key}" for key in ("https", "tftp", "pnp", "ssh")}
    assert shown == known - not_served_yet
    assert load_settings(example, {}) == defaults


def test_check_config_prints_a_file_that_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(f'data_dir = "{tmp_path}"\n[sipd]\nudp = ""\ndigest_algorithms = ["SHA-256", "MD5"]\n')
    assert main(["check-config", "--config", str(path)]) == 0
    printed = tmp_path / "printed.toml"
    printed.write_text(capsys.readouterr().out)
    assert load_settings(printed, {}) == load_settings(path, {})


def test_check_config_looks_into_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, certificate = tmp_path / "suite.toml", tmp_path / "a.crt"
    path.write_text(f'[sipd]\ntls = "127.0.0.1:0"\ntls_certificate = "{certificate}"\ntls_key = "{certificate}"\n')
    assert main(["check-config", "--config", str(path)]) == 1
    assert capsys.readouterr().err == f"intercom-suite: {certificate}: No such file or directory\n"
    certificate.write_text("nonsense")
    assert main(["check-config", "--config", str(path)]) == 1
    assert capsys.readouterr().err == f"intercom-suite: {certificate} holds no PEM certificate\n"


def test_certificates_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "suite.toml"
    path.write_text('[sipd]\ntls_certificate = "/a.crt"\ntls_key = "/a.key"\ntls_extra = ["/b.crt:/b.key"]\n')
    files = load_settings(path, {}).sipd.tls_files
    assert [str(pair) for pair in files] == ["/a.crt:/a.key", "/b.crt:/b.key"]
    assert load_settings(path, {"INTERCOM_SIPD__TLS_EXTRA": "/b.crt:/b.key"}).sipd.tls_files == files
    assert main(["check-config", "--config", str(path)]) == 0
    path.write_text(capsys.readouterr().out)
    assert load_settings(path, {}).sipd.tls_files == files


def test_check_config_keeps_the_password_of_the_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "suite.toml"
    path.write_text('[database]\nurl = "postgresql://suite:hunter2@db/suite"\n')
    assert main(["check-config", "--config", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "@db/suite" in printed
    assert "hunter2" not in printed


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_settings(tmp_path / "absent.toml", {})


def test_a_wrong_value_is_not_echoed(tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path, "", INTERCOM_DATABASE__URI="postgresql://suite:hunter2@db/x")
    assert "hunter2" not in problem


def test_ipv6_addresses(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text('[sipd]\nudp = "[::1]:5060"\n')
    listen = load_settings(path, {}).sipd.udp
    assert listen == Listen("::1", 5060)
    assert str(listen) == "[::1]:5060"


def test_lists_are_words_in_the_environment() -> None:
    settings = load_settings(None, {"INTERCOM_SIPD__DIGEST_ALGORITHMS": "SHA-256, MD5"})
    assert settings.sipd.digest_algorithms == ("SHA-256", "MD5")
