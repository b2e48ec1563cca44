"""The cluster as a whole: up, down, and what a test may do to it in between."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.cluster import clients, roster
from tests.cluster.daemons import ClusterError, Daemon, wait_until
from tests.cluster.layout import ACCOUNT, FOLDER, NODES, PORT, QOS, Layout
from tests.cluster.node_processes import kill_jobs

INSTALL_SECONDS, NODES_SECONDS, CANCEL_SECONDS = 60.0, 60.0, 60.0
PACKAGES = "slurm-wlm munge slurmdbd mariadb-server"
PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd")
USER = "root"
SHOW_CLUSTER = ("sacctmgr", "--noheader", "show", "cluster")
WORKING_STATES = ("idle", "mixed", "allocated", "completing")


class Cluster:
    """A SLURM below one folder. Any number of these objects may speak for the same one."""

    def __init__(self, folder: Path = FOLDER, port: int = PORT) -> None:
        self.layout = Layout(folder, port)

    def environment(self) -> dict[str, str]:
        """What a client's environment must hold."""
        return {"SLURM_CONF": str(self.layout.slurm_conf)}

    def ask(self, *command: str, seconds: float = clients.CLIENT_SECONDS) -> str:
        """What a client of this cluster prints.

        Raises:
            ClusterError: If it fails, with its own words, or takes longer than `seconds`.
        """
        return clients.ask(self.environment(), *command, seconds=seconds)

    def is_up(self) -> bool:
        """Whether every daemon runs, both nodes can work and accounting answers."""
        running = all(daemon.pid() is not None for daemon in self.daemons())
        return running and self._nodes_work() and self._answers(*SHOW_CLUSTER)

    def daemons(self) -> list[Daemon]:
        """Every daemon, each after all that it needs."""
        return roster.everyone(self.layout)

    def start(self) -> None:
        """Bring the cluster up, in place of one that is not whole; nothing to do if it is up.

        Returns when both nodes can work and accounting answers.

        Raises:
            ClusterError: If programs are missing or a daemon does not come up.
        """
        require_programs()
        if self.is_up():
            return
        self.stop()
        self.layout.make()
        self._start_munged()
        self._start_database()
        self.start_slurmdbd()
        self._register_account()
        self._start_slurmctld()
        self._start_nodes()

    def _start_munged(self) -> None:
        self._start(roster.munged(self.layout), "munge", "-n", "-S", str(self.layout.munge_socket))

    def _start(self, daemon: Daemon, *question: str) -> None:
        daemon.start(partial(self._answers, *question))

    def _answers(self, *question: str) -> bool:
        try:
            self.ask(*question)
        except ClusterError:
            return False
        return True

    def _start_database(self) -> None:
        install = ("mariadb-install-db", "--no-defaults", "--user=root", "--skip-test-db")
        self.ask(*install, f"--datadir={self.layout.database}", seconds=INSTALL_SECONDS)
        ping = ("mariadb-admin", "--no-defaults", f"--socket={self.layout.database_socket}", "ping")
        self._start(roster.mariadbd(self.layout), *ping)

    def _register_account(self) -> None:
        allowed = f"qos={','.join(('normal', *QOS))}"
        for words in (
            ("cluster", "studies"),
            ("account", ACCOUNT),
            *(("qos", name, *settings) for name, settings in QOS.items()),
            ("user", USER, f"account={ACCOUNT}", f"defaultaccount={ACCOUNT}", allowed),
        ):
            self.ask("sacctmgr", "-i", "add", *words)

    def _start_slurmctld(self) -> None:
        self._start(roster.slurmctld(self.layout), "scontrol", "ping")

    def _start_nodes(self) -> None:
        for node in NODES:
            roster.slurmd(self.layout, node).start(lambda: True)
        wait_until(self._nodes_work, NODES_SECONDS, "both nodes to come into service")

    def _nodes_work(self) -> bool:
        return all(self._node_works(node) for node in NODES)

    def _node_works(self, node: str) -> bool:
        try:
            return self.node_state(node) in WORKING_STATES
        except ClusterError:
            return False

    def node_state(self, node: str) -> str:
        """The state of a node in sinfo's words: idle, mixed, down*, ..."""
        return self.ask("sinfo", "--noheader", f"--nodes={node}", "--partition=main", "-o", "%T")

    def stop(self) -> None:
        """Take everything down and leave nothing, however much of it had come up.

        Raises:
            ClusterError: If the folder holds something else; it is left alone.
        """
        if not self.layout.folder.exists():
            return
        if not self.layout.is_made():
            raise ClusterError(f"{self.layout.folder} holds no cluster: remove it or name another")
        for daemon in reversed(self.daemons()):
            daemon.end()
        for node in NODES:
            kill_jobs(self.layout, node)
        shutil.rmtree(self.layout.folder)

    def stop_slurmd(self, node: str) -> None:
        """Let a node die: its slurmd and all that its jobs run are killed, and nobody is told."""
        roster.slurmd(self.layout, node).kill()
        kill_jobs(self.layout, node)

    def start_slurmd(self, node: str) -> None:
        """Bring a node back into service."""
        roster.slurmd(self.layout, node).start(lambda: self._node_works(node))

    def stop_slurmdbd(self) -> None:
        """Stop the accounting."""
        roster.slurmdbd(self.layout).end()

    def start_slurmdbd(self) -> None:
        """Start the accounting, and wait until it answers."""
        self._start(roster.slurmdbd(self.layout), *SHOW_CLUSTER)

    @contextmanager
    def reconfigured(self, **settings: Any) -> Iterator[None]:
        """Within the context the controller has other settings of `Layout.write_configuration`."""
        self._restart_slurmctld(settings)
        try:
            yield
        finally:
            self._restart_slurmctld({})

    def _restart_slurmctld(self, settings: Mapping[str, Any]) -> None:
        roster.slurmctld(self.layout).end()
        self.layout.write_configuration(**settings)
        self._start_slurmctld()
        wait_until(self._nodes_work, NODES_SECONDS, "both nodes to come into service")

    def cancel_all(self) -> None:
        """Cancel every job, and return when the queue is empty."""
        wait_until(self._cancelled, CANCEL_SECONDS, "every job to leave the queue")

    def _cancelled(self) -> bool:
        self.ask("scancel", f"--user={USER}")
        return not self.ask("squeue", "--noheader")


def require_programs() -> None:
    """Check that all is installed.

    Raises:
        ClusterError: If not; says how to install it.
    """
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        hint = f"on Debian: apt-get install {PACKAGES}"
        raise ClusterError(f"no SLURM here, {', '.join(missing)} not found; {hint}")
