"""The daemons of a cluster and their command lines, in the order in which they start."""

from tests.cluster.daemons import Daemon
from tests.cluster.layout import NODES, Layout


def everyone(layout: Layout) -> list[Daemon]:
    """Every daemon, each after all that it needs."""
    slurmds = [slurmd(layout, node) for node in NODES]
    return [munged(layout), mariadbd(layout), slurmdbd(layout), slurmctld(layout), *slurmds]


def munged(layout: Layout) -> Daemon:
    """Proves to the others who speaks to them."""
    return _daemon(
        layout,
        "munged",
        "--foreground",
        f"--key-file={layout.munge_key}",
        f"--socket={layout.munge_socket}",
        f"--pid-file={layout.munge_key.with_name('pid')}",
        f"--seed-file={layout.munge_key.with_name('seed')}",
    )


def mariadbd(layout: Layout) -> Daemon:
    """The database below the accounting; it listens on no port."""
    return _daemon(
        layout,
        "mariadbd",
        "--no-defaults",
        "--user=root",
        "--skip-networking",
        "--innodb-lock-wait-timeout=900",
        f"--datadir={layout.database}",
        f"--socket={layout.database_socket}",
    )


def slurmdbd(layout: Layout) -> Daemon:
    """Accounting: what sacct and sacctmgr ask."""
    return _daemon(layout, "slurmdbd", "-D", MYSQL_UNIX_PORT=str(layout.database_socket))


def slurmctld(layout: Layout) -> Daemon:
    """The controller, with the queue."""
    return _daemon(layout, "slurmctld", "-D", "-f", str(layout.slurm_conf))


def slurmd(layout: Layout, node: str) -> Daemon:
    """A node."""
    command = ("slurmd", "-D", "-N", node, "-f", str(layout.slurm_conf))
    return _daemon(layout, *command, name=node)


def _daemon(layout: Layout, *command: str, name: str | None = None, **environment: str) -> Daemon:
    environment["SLURM_CONF"] = str(layout.slurm_conf)
    return Daemon(name or command[0], command, layout.folder, environment)
