"""In which numbers networks compute, where a user leaves it to the machine."""

from typing import Literal

import torch

Chosen = Literal["32-true", "bf16-mixed", "16-mixed"]
Precision = Literal["auto"] | Chosen

BF16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")
"""By which an x86 processor multiplies bfloat16 faster than float32; without them it converts."""
CUDA_ACCELERATORS = ("auto", "cuda", "gpu")


def chosen_precision(wanted: Precision, accelerator: str) -> Chosen:
    """`auto` becomes bf16-mixed where the processor gains by it and 32-true elsewhere; anything
    else stays as it is wanted.
    """
    if wanted != "auto":
        return wanted
    if accelerator in CUDA_ACCELERATORS and torch.cuda.is_available():
        gains = torch.cuda.is_bf16_supported(including_emulation=False)
    elif accelerator in ("auto", "cpu"):
        known = torch.cpu.get_capabilities()
        gains = any(known.get(name, False) for name in BF16_INSTRUCTIONS)
    else:
        gains = False
    return "bf16-mixed" if gains else "32-true"
