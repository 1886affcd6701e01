"""`kvae keys` and `kvae settings`, without a service."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.commands import commands


def run(*words: str | Path, status: int = 0) -> Result:
    done = CliRunner().invoke(commands, [*map(str, words)])
    assert done.exit_code == status, done.output
    return done


@pytest.mark.parametrize("action", [["create", "--name", "x", "--role", "read"], ["list"]])
def test_no_database_is_made_unasked(
    action: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("keys", *action, status=1)
    assert f"there is no service in {tmp_path / 'kvae-data'}: name its folder" in done.stderr
    run("keys", "list", "--folder", "elsewhere", status=1)
    run("keys", "revoke", "key_1", "--folder", "elsewhere", status=1)
    assert not list(tmp_path.iterdir())


def test_owners_are_known_or_asked_for(tmp_path: Path) -> None:
    folder = ["--folder", str(tmp_path / "new")]
    create = ["keys", "create", *folder, "--role", "write", "--name", "x"]
    run(*create, "--owner", "shop", status=1)
    made = run(*create, "--new-owner", "shop", "--max-jobs", "5", "--max-bytes", "1000")
    assert "there was no service in" in made.stderr
    assert made.stdout.startswith("kvae_")
    run(*create, "--owner", "shop")
    run(*create, "--owner", "")
    wrong = run(*create, "--owner", "shpo", status=2)
    assert "no key has the owner 'shpo' (there are: shop); --new-owner makes one" in wrong.stderr
    assert "is there already" in run(*create, "--new-owner", "shop", status=2).stderr
    run(*create, "--owner", "shop", "--new-owner", "inn", status=2)
    titles, first, second, third = run("keys", "list", *folder).stdout.splitlines()
    assert titles.split("  ")[0] == "id"
    assert first.split()[1:5] == ["write", "shop", "1000", "5"]
    assert second.split()[1:5] == ["write", "shop", "-", "-"]
    assert third.split()[2] == "-"


def test_settings_that_do_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVAE_MAX_BODY_BYTES", "plenty")
    done = run("keys", "list", "--folder", tmp_path, status=1)
    assert done.stderr.startswith("Error: KVAE_MAX_BODY_BYTES: Input should be a valid integer")
    monkeypatch.delenv("KVAE_MAX_BODY_BYTES")
    monkeypatch.setenv("KVAE_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    assert "the database can't be used: no such table" in run("keys", "list", status=1).stderr
