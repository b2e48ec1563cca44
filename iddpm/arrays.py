"""Arrays of numpy, called by the type of their numbers."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
UInt8Array = NDArray[np.uint8]
