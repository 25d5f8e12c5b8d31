"""First weights that several networks share."""

from torch import nn


def xavier_without_bias(module: nn.Module) -> None:
    """Xavier's uniform weights of a convolution, no bias; for `nn.Module.apply`."""
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
