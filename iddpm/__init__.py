"""Improved DDPM from Python: train, sample, bits/dim and Fréchet distance in a few lines.

    import iddpm

    data = iddpm.Digits()
    model = iddpm.train(data, objective=iddpm.Hybrid(), steps=800)
    images = model.sample(64, steps=50)
    model.likelihood(images=32).bits_per_dim
    extractor = iddpm.extractor(data)
    real = iddpm.load(data, "train").images
    iddpm.frechet_distance(extractor.features(images), extractor.features(real)).value

The mathematics and the networks; it knows nothing of sweeps. Each name is loaded when it is first
asked for: `import iddpm` loads no torch.
"""

from typing import TYPE_CHECKING

from iddpm.registry import lazily

if TYPE_CHECKING:
    from iddpm.bounds import ConfigError as ConfigError
    from iddpm.config import Digits as Digits
    from iddpm.config import Folder as Folder
    from iddpm.config import Hybrid as Hybrid
    from iddpm.config import Npz as Npz
    from iddpm.config import Photos as Photos
    from iddpm.config import Simple as Simple
    from iddpm.config import TrainConfig as TrainConfig
    from iddpm.config import UNetConfig as UNetConfig
    from iddpm.config import Vlb as Vlb
    from iddpm.data import describe as describe
    from iddpm.data import load as load
    from iddpm.denoiser import Denoiser as Denoiser
    from iddpm.diffusion import Diffusion as Diffusion
    from iddpm.evaluation.config import Ancestral as Ancestral
    from iddpm.evaluation.config import Ddim as Ddim
    from iddpm.evaluation.frechet import frechet_distance as frechet_distance
    from iddpm.evaluation.metrics import kid as kid
    from iddpm.evaluation.precision_recall import precision_recall as precision_recall
    from iddpm.model import Model as Model
    from iddpm.model import extractor as extractor
    from iddpm.model import train as train
    from iddpm.networks.unet import UNet as UNet
    from iddpm.samplers import ancestral as ancestral
    from iddpm.samplers import ddim as ddim
    from iddpm.schedules import betas as betas
else:
    __getattr__, __dir__ = lazily(
        {
            "iddpm.bounds": ["ConfigError"],
            "iddpm.config": [
                *("Digits", "Folder", "Npz", "Photos", "TrainConfig", "UNetConfig"),
                *("Hybrid", "Simple", "Vlb"),
            ],
            "iddpm.data": ["describe", "load"],
            "iddpm.denoiser": ["Denoiser"],
            "iddpm.diffusion": ["Diffusion"],
            "iddpm.evaluation.config": ["Ancestral", "Ddim"],
            "iddpm.evaluation.frechet": ["frechet_distance"],
            "iddpm.evaluation.metrics": ["kid"],
            "iddpm.evaluation.precision_recall": ["precision_recall"],
            "iddpm.model": ["Model", "extractor", "train"],
            "iddpm.networks.unet": ["UNet"],
            "iddpm.samplers": ["ancestral", "ddim"],
            "iddpm.schedules": ["betas"],
        },
    )
