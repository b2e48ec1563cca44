#!/bin/bash

# Parameters
#SBATCH --array=0
#SBATCH --cpus-per-task=1
#SBATCH --dependency=afterok:100_0
#SBATCH --job-name=likelihood.study.TOKEN-1
#SBATCH --kill-on-invalid-dep=yes
#SBATCH --mem=8192M
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=STORE/submissions/likelihood.study.TOKEN-1/%A_%a_0_log.out
#SBATCH --requeue
#SBATCH --signal=USR2@300
#SBATCH --time=60

# setup
found=$(set -o pipefail; cd STORE/code/DIGEST && find . ! -type d -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum) && [ "$found" = "DIGEST  -" ] || { echo 'STORE/code/DIGEST: expected the code that was submitted, found it changed' | tee STORE/submissions/likelihood.study.TOKEN-1/changed_code.$SLURM_ARRAY_TASK_ID; exit 1; }
export PYTHONPATH=STORE/code/DIGEST
export STUDIES_FOLDER="$PWD"
export STUDIES_EXECUTOR=slurm
export STUDIES_JOB_START=$(date +%s)
export STUDIES_JOB_END=$(($(date +%s) + 3600))
export STUDIES_FIRST_NODE=$(hostname)
export PYTHONDONTWRITEBYTECODE=1
export OMP_NUM_THREADS=1
export MKL_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1

# command
export SUBMITIT_EXECUTOR=slurm
cd STORE/submissions/likelihood.study.TOKEN-1
srun --unbuffered --output %A_%a_%t_log.out --kill-on-bad-exit=1 --export=ALL PYTHON -P -m studies.execute.slurm.job STORE likelihood.study.TOKEN-1
