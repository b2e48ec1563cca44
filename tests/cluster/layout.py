"""Where a cluster's files stand, and what its daemons are told.

Everything is below one folder, and the four ports follow one another, so that two clusters can
stand side by side. The nodes are two names for this machine; their GPUs are device files that
are made for the purpose and hold nothing.
"""

import os
import secrets
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("/tmp/iddpm-studies-cluster")
PORT = 17817
NODES = ("node1", "node2")
SPOOLS = tuple(f"spool/{node}" for node in NODES)
ACCOUNT = "research"
QOS = {
    "low": ("preemptmode=cancel",),
    "low_in_peace": ("preemptmode=cancel", "gracetime=3"),
    "low_at_leisure": ("preemptmode=cancel", "gracetime=600"),
    "urgent": ("preempt=low,low_in_peace,low_at_leisure",),
}
"""Of whoever submits, with what is set of each; they count where the controller preempts by QOS."""
MAX_ARRAY_SIZE = 1001
"""SLURM's own default: one more than the largest index of an array."""

SLURM_CONF = """\
ClusterName=studies
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A requeued job waits until its old credential has expired: 5 s is the least SLURM accepts.
AuthInfo=socket={munge_socket},cred_expire=5
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/state/slurmctld.pid
SlurmdPidFile={folder}/spool/%n.pid
SlurmdSpoolDir={folder}/spool/%n
SlurmdLogFile={folder}/log/%n-steps.log

# The nodes pretend to own what this machine may not have.
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={node1_port} {resources}
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={node2_port} {resources}
ReturnToService=2
DebugFlags=NO_CONF_HASH

PartitionName=main Nodes=ALL Default=YES PreemptMode=OFF
PartitionName=low Nodes=ALL PriorityTier=1 GraceTime=3
PartitionName=scraps Nodes=ALL PriorityTier=1 PreemptMode=CANCEL
PartitionName=scraps_in_peace Nodes=ALL PriorityTier=1 PreemptMode=CANCEL GraceTime=3
PartitionName=scraps_at_leisure Nodes=ALL PriorityTier=1 PreemptMode=CANCEL GraceTime=600
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF
PreemptType=preempt/{preempt_by}
PreemptMode=REQUEUE
DefMemPerCPU=1000
JobRequeue=1

SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
MaxArraySize={max_array_size}

# Everything that a test waits for comes soon.
SlurmdTimeout=10
MessageTimeout=5
KillWait=10
MinJobAge=300

JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={slurmdbd_port}
AccountingStoragePass={munge_socket}
AccountingStorageEnforce=associations
AccountingStorageTRES=gres/gpu
"""
RESOURCES = "CPUs=2 RealMemory=4000 Gres=gpu:2"
GRES_CONF = "NodeName={node} Name=gpu File={folder}/gpus/{node}/gpu[0-1]\n"
SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={munge_socket}
DbdHost=localhost
DbdPort={slurmdbd_port}
SlurmUser=root
PidFile={folder}/state/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """A cluster's folder and the first of its four ports."""

    folder: Path = FOLDER
    port: int = PORT

    @property
    def slurm_conf(self) -> Path:
        """The file by which clients find the cluster."""
        return self.folder / "slurm.conf"

    @property
    def munge_key(self) -> Path:
        """The secret that daemons and clients share."""
        return self.folder / "munge" / "key"

    @property
    def munge_socket(self) -> Path:
        """Where munged answers."""
        return self.folder / "munge" / "socket"

    @property
    def database(self) -> Path:
        """MariaDB's data."""
        return self.folder / "database"

    @property
    def database_socket(self) -> Path:
        """The only door of the database: it listens on no port."""
        return self.folder / "database.socket"

    def steps_log(self, node: str) -> Path:
        """What the guardians of a node's job steps say."""
        return self.folder / "log" / f"{node}-steps.log"

    def is_made(self) -> bool:
        """Whether the folder is a cluster's, if only the beginning of one."""
        return (self.folder / "pid").exists()

    def make(self) -> None:
        """Make the folder with all that the daemons expect to find.

        Raises:
            FileExistsError: If the folder stands already.
        """
        self.folder.mkdir(parents=True)
        for name in ("pid", "log", "munge", "database", "state", *SPOOLS):
            (self.folder / name).mkdir(parents=True)
        self._make_munge_key()
        self._make_gpus()
        self.write_configuration()

    def _make_munge_key(self) -> None:
        self.munge_key.touch(mode=0o600)
        self.munge_key.write_bytes(secrets.token_bytes(128))

    def _make_gpus(self) -> None:
        null = os.makedev(1, 3)
        for node in NODES:
            folder = self.folder / "gpus" / node
            folder.mkdir(parents=True)
            for number in range(2):
                os.mknod(folder / f"gpu{number}", stat.S_IFCHR | 0o666, null)

    def write_configuration(
        self, *, max_array_size: int = MAX_ARRAY_SIZE, preempt_by: str = "partition_prio"
    ) -> None:
        """Write what SLURM's daemons and clients read."""
        values = {
            "folder": self.folder,
            "munge_socket": self.munge_socket,
            "host": socket.gethostname().split(".")[0],
            "port": self.port,
            "slurmdbd_port": self.port + 1,
            "node1_port": self.port + 2,
            "node2_port": self.port + 3,
            "resources": RESOURCES,
            "max_array_size": max_array_size,
            "preempt_by": preempt_by,
        }
        self.slurm_conf.write_text(SLURM_CONF.format(**values))
        gpus = "".join(GRES_CONF.format(folder=self.folder, node=node) for node in NODES)
        (self.folder / "gres.conf").write_text(gpus)
        slurmdbd_conf = self.folder / "slurmdbd.conf"
        slurmdbd_conf.touch(mode=0o600)
        slurmdbd_conf.write_text(SLURMDBD_CONF.format(**values))
