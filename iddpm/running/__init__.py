"""What keeps long work whole: files, checkpoints, draws, ranks and being interrupted."""
