"""One thread in every test: sums are rounded alike then, as they are in the workers."""

import torch

torch.set_num_threads(1)
