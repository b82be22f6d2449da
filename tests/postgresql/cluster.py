"""Where does a PostgreSQL come from that nobody else uses? A cluster of its own in a temporary directory.

It listens on a unix socket there and nowhere else. PostgreSQL refuses to run as root (initdb(1)), so that root runs it
as the user Debian's package makes.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEBIANS = Path("/usr/lib/postgresql")
USER = "postgres"
PATIENCE_S = 60


def binaries() -> Path | None:
    """Return the directory with initdb and pg_ctl, which Debian keeps out of PATH; None where there is none."""
    found = sorted(DEBIANS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    candidates = [*found, *([Path(on_path)] if on_path else [])]
    return candidates[-1].parent if candidates else None


@contextmanager
def a_cluster(programs: Path) -> Iterator[str]:
    """Make and start a cluster; gives the URL of its empty database."""
    user = USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    with tempfile.TemporaryDirectory(prefix="weft-postgresql-") as name:
        directory = Path(name)  # short, as a socket's path has 107 bytes at most (unix(7))
        shutil.chown(directory, user)

        def run(program: str, *arguments: str) -> None:
            done = subprocess.run(
                [programs / program, *arguments],
                cwd=directory,
                user=user if os.geteuid() == 0 else None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"{program} failed:\n{done.stdout}")

        data, log = str(directory / "data"), str(directory / "log")
        run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={USER}", "-D", data)
        options = f"-k {directory} -c listen_addresses='' -c fsync=off -c max_connections=50"
        run("pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{USER}@/postgres?host={directory}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
