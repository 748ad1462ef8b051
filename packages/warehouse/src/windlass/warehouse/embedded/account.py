"""Who runs the server: PostgreSQL refuses root, so root lends it an unprivileged account it can start it as.

Nothing of the user's is opened up for that: no parent folder gets another mode. Where the account cannot
reach the data folder (`/root` is 0700), the cluster lies below a system folder, and the data folder points
to it.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from windlass.warehouse.errors import EmbeddedError

__all__ = ["Account", "ProcessOptions", "can_reach", "make_system_dir", "may_execute", "service_account"]

_CANDIDATES = ("postgres", "nobody")


class ProcessOptions(TypedDict, total=False):
    """Arguments of `subprocess.run` that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A system account.

    Attributes:
        uid: Its user id.
        gid: Its group id.
    """

    uid: int
    gid: int

    @property
    def is_self(self) -> bool:
        """Whether this process runs as it already."""
        return self.uid == os.geteuid()

    def process_options(self) -> ProcessOptions:
        """What to give `subprocess.run` so that the child is this account."""
        return {} if self.is_self else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Make it the owner of a file or folder."""
        if not self.is_self:
            os.chown(path, self.uid, self.gid)


def service_account(*, name: str | None = None, owner_of: Path | None = None) -> Account:
    """Choose the account that runs the server.

    Args:
        name: Account to use when this process is root; by default `postgres` or else `nobody`.
        owner_of: An existing cluster: only its owner can run it.

    Returns:
        This process's own account, or when it is root the unprivileged one.

    Raises:
        EmbeddedError: No account fits.
    """
    if owner_of is not None and owner_of.exists():
        status = owner_of.stat()
        if os.geteuid() not in (0, status.st_uid):
            raise EmbeddedError(
                f"The cluster in {owner_of} belongs to user {_name_of(status.st_uid)}.",
                advice="Run this as that user or as root, or choose another data folder.",
            )
        return Account(status.st_uid, status.st_gid)
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for candidate in (name,) if name else _CANDIDATES:
        try:
            entry = pwd.getpwnam(candidate)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        f"PostgreSQL refuses to run as root, and there is no account {name or ' or '.join(_CANDIDATES)}.",
        advice="Run this as an ordinary user, or create one of these accounts.",
    )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def can_reach(path: Path, account: Account) -> bool:
    """Whether the modes of all folders above a path let an account through.

    Args:
        path: A file or folder; where it lies, not what it is, is looked at.
        account: Who wants to get there.

    Returns:
        True when each parent that exists has the search bit for the account. Access-control lists are not
        looked at: where only they would let it through, the answer is the safe False.
    """
    return all(may_execute(parent.stat(), account) for parent in path.resolve().parents if parent.exists())


def may_execute(status: os.stat_result, account: Account) -> bool:
    """Whether the mode of a file lets an account execute it, of a folder pass through it."""
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def make_system_dir(folder: Path) -> None:
    """Make the folder that root's servers can reach; whatever the umask, it can be searched by all."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
