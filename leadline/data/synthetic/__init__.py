"""A small stereo driving world, rendered from a seed into KITTI raw's layout, with exact truth.

>>> from leadline.data.synthetic import WorldSettings
>>> [plan.style.value for plan in WorldSettings(drives=3).plans()]
['country', 'suburb', 'urban']
"""

from leadline.data.synthetic.generate import Summary, generate
from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.settings import DrivePlan, Role, Style, WorldSettings

__all__ = ["DrivePlan", "Kind", "Role", "Style", "Summary", "WorldSettings", "generate"]
