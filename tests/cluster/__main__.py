"""`python -m tests.cluster up|down|status`: a SLURM for the tests, for as long as you like."""

import argparse
import sys
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.daemons import ClusterError
from tests.cluster.layout import FOLDER, NODES, PORT


def main() -> int:
    """Do what was asked; the exit code, 1 for a cluster that is not up."""
    options = _parser().parse_args()
    cluster = Cluster(options.folder.resolve(), options.port)
    try:
        return {"up": up, "down": down, "status": status}[options.action](cluster)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("action", choices=("up", "down", "status"))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="holds all of it (%(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="first of four (%(default)s)")
    return parser


def up(cluster: Cluster) -> int:
    """Start the cluster, and say how to use it."""
    if cluster.is_up():
        print("the cluster is up already")
    else:
        cluster.start()
        print("the cluster is up")
    print(f"export SLURM_CONF={cluster.layout.slurm_conf}")
    return 0


def down(cluster: Cluster) -> int:
    """Stop the cluster, and remove all of it."""
    cluster.stop()
    print("the cluster is down")
    return 0


def status(cluster: Cluster) -> int:
    """Say which daemons run and what the nodes do."""
    for daemon in cluster.daemons():
        print(f"{daemon.name}: {'runs' if daemon.pid() else 'does not run'}")
    if not cluster.is_up():
        print("the cluster is not up")
        return 1
    for node in NODES:
        print(f"{node}: {cluster.node_state(node)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
