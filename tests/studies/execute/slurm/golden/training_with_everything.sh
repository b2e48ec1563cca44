#!/bin/bash

# Parameters
#SBATCH --account=us
#SBATCH --array=0-1%5
#SBATCH --comment='two words'
#SBATCH --constraint='fast&new'
#SBATCH --cpus-per-task=3
#SBATCH --exclude='node[1-3]'
#SBATCH --exclusive
#SBATCH --gpus-per-node=a100:4
#SBATCH --job-name=train.study.TOKEN-0
#SBATCH --kill-on-invalid-dep=yes
#SBATCH --mem=1536M
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --open-mode=append
#SBATCH --output=STORE/submissions/train.study.TOKEN-0/%A_%a_0_log.out
#SBATCH --partition=big
#SBATCH --qos=high
#SBATCH --requeue
#SBATCH --reservation=maintenance
#SBATCH --signal=USR2@300
#SBATCH --time=90

# setup
found=$(set -o pipefail; cd STORE/code/DIGEST && find . ! -type d -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum) && [ "$found" = "DIGEST  -" ] || { echo 'STORE/code/DIGEST: expected the code that was submitted, found it changed' | tee STORE/submissions/train.study.TOKEN-0/changed_code.$SLURM_ARRAY_TASK_ID; exit 1; }
export PYTHONPATH=STORE/code/DIGEST
export STUDIES_FOLDER="$PWD"
export STUDIES_EXECUTOR=slurm
export STUDIES_JOB_START=$(date +%s)
export STUDIES_JOB_END=$(($(date +%s) + 5400))
export STUDIES_FIRST_NODE=$(hostname)
export PYTHONDONTWRITEBYTECODE=1
export OMP_NUM_THREADS=1
export MKL_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1

# command
export SUBMITIT_EXECUTOR=slurm
cd STORE/submissions/train.study.TOKEN-0
srun --unbuffered --output %A_%a_%t_log.out --kill-on-bad-exit=1 --export=ALL PYTHON -P -m studies.execute.slurm.job STORE train.study.TOKEN-0
