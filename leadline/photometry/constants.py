"""The constants of the photometric error, for whoever computes it."""

SSIM_WEIGHT = 0.85
"""Share of SSIM in the photometric error [monodepth], [monodepth2]."""
LUMINANCE_CONSTANT = 0.01**2
CONTRAST_CONSTANT = 0.03**2
"""C1 and C2 of SSIM for colours in [0, 1] [ssim]."""
ROBUST_EPSILON = 1e-6
"""What [featdepth] adds to a squared difference before the root: smooth where colours agree."""
