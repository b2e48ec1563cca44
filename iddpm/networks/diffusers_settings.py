"""Our UNet and `UNet2DModel` of diffusers: which of ours it can express, and with which settings.

Both go back to Ho et al. (2020, arXiv:2006.11239) and compute alike where their settings agree. The
one has a width of heads where the other has a number of them, and it embeds step numbers as they
are. Nothing here needs diffusers, or torch.
"""

from collections.abc import Mapping
from typing import Any

from iddpm.bounds import ConfigError, require

Settings = Mapping[str, Any]
"""The arguments of `iddpm.networks.unet.UNet` by name."""
FIXED: dict[str, Any] = {
    "center_input_sample": False,
    "time_embedding_type": "positional",
    "freq_shift": 0,
    "flip_sin_to_cos": True,
    "mid_block_scale_factor": 1,
    "downsample_padding": 1,
    "downsample_type": "conv",
    "upsample_type": "conv",
    "act_fn": "silu",
    "norm_eps": 1e-5,
    "add_attention": True,
    "class_embed_type": None,
}
"""What no setting of ours changes."""
SCALE_SHIFT = {True: "scale_shift", False: "default"}
ELSE = "export it to safetensors"
AS_OURS = ", as our network has"


def model_config(network: Settings) -> dict[str, Any]:
    """The settings of the `UNet2DModel` that computes as our network does.

    Raises:
        ConfigError: If there is none.
    """
    widths = [multiplier * network["model_channels"] for multiplier in network["channel_mult"]]
    sides = [network["image_size"] // 2**level for level in range(len(widths))]
    attends = [side in network["attention_resolutions"] for side in sides]
    _check(network, {w for w, a in zip(widths, attends, strict=True) if a} | {widths[-1]})
    return {
        **FIXED,
        "_class_name": "UNet2DModel",
        "sample_size": network["image_size"],
        "in_channels": network["in_channels"],
        "out_channels": network["out_channels"],
        "down_block_types": [f"{'Attn' if one else ''}DownBlock2D" for one in attends],
        "up_block_types": [f"{'Attn' if one else ''}UpBlock2D" for one in reversed(attends)],
        "block_out_channels": widths,
        "layers_per_block": network["res_blocks"],
        "dropout": network["dropout"],
        "attention_head_dim": None if network["heads"] == 1 else widths[-1] // network["heads"],
        "norm_num_groups": network["groups"],
        "attn_norm_num_groups": network["groups"],
        "resnet_time_scale_shift": SCALE_SHIFT[network["scale_shift"]],
        "num_class_embeds": network["classes"],
    }


def _check(network: Settings, attending: set[int]) -> None:
    what = "for UNet2DModel of diffusers"
    scale, heads = network["timestep_scale"], network["heads"]
    if scale != 1:
        found = f"step numbers times {scale:g}"
        raise ConfigError("network.rescale_timesteps", f"false {what}", found, ELSE)
    if heads > 1 and len(attending) > 1:
        found = f"{heads} heads at the widths {', '.join(map(str, sorted(attending)))}"
        raise ConfigError("network.heads", f"heads of one width {what}", found, ELSE)
    first = network["channel_mult"][0]
    require(first == 1, "network.channel_mult", f"1 for the first level {what}", first, ELSE)
    low = network["low_resolution"]
    require(not low, "network.low_resolution", f"no smaller images {what}", "some", ELSE)


def settings_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of our network that computes as a `UNet2DModel` does.

    Args:
        model: Its settings, as diffusers writes them.

    Raises:
        ConfigError: If there is none.
    """
    for name, value in FIXED.items():
        found = model.get(name, value)
        require(found == value, f"UNet2DModel.{name}", f"{value!r}{AS_OURS}", found)
    widths, blocks = model["block_out_channels"], model["down_block_types"]
    size, head = model["sample_size"], model.get("attention_head_dim", 8)
    attends = [one == "AttnDownBlock2D" for one in blocks]
    asked = {
        "in_channels": model["in_channels"],
        "out_channels": model["out_channels"],
        "image_size": size,
        "model_channels": widths[0],
        "channel_mult": tuple(width // widths[0] for width in widths),
        "res_blocks": model["layers_per_block"],
        "attention_resolutions": tuple(size // 2**i for i, one in enumerate(attends) if one),
        "heads": 1 if head is None else widths[-1] // head,
        "groups": model["norm_num_groups"],
        "dropout": model.get("dropout", 0.0),
        "scale_shift": model.get("resnet_time_scale_shift") == SCALE_SHIFT[True],
        "classes": model.get("num_class_embeds"),
        "low_resolution": False,
        "timestep_scale": 1.0,
    }
    for name, value in model_config(asked).items():
        found = model.get(name, FIXED.get(name))
        is_plain_norm = name == "attn_norm_num_groups" and not asked["scale_shift"]
        if not is_plain_norm and (list(found) if isinstance(found, tuple) else found) != value:
            raise ConfigError(f"UNet2DModel.{name}", f"{value!r}{AS_OURS}", repr(found))
    return asked
