"""The bottom of each picture left out, where a vehicle's own bonnet is: a share of the height."""

MOST = 0.5


def upper_rows(height: int, crop_bottom: float) -> int:
    """How many rows are left, rounded as [manydepth] does.

    >>> upper_rows(1024, 0.25)
    768
    """
    return max(round((1 - crop_bottom) * height), 1)


def check_crop_bottom(crop_bottom: float) -> None:
    """Refuse what is no bonnet.

    Raises:
        ValueError: it is negative, or more than half of the picture.
    """
    if not 0 <= crop_bottom <= MOST:
        raise ValueError(
            f"crop_bottom: expected a share of the height from 0 (none) to {MOST:g}, got "
            f"{crop_bottom:g}"
        )
