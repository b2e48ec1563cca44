"""One thread in every test: sums are rounded alike then, as they are in the workers.

Rubbish is looked for seldom: thousands of collected tests are looked through each time.
"""

import gc

import torch

gc.set_threshold(50_000, 20, 50)
torch.set_num_threads(1)
