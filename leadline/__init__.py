"""Leadline trains a camera to see depth in metres, and measures and ships what it trained."""

__version__ = "0.1.0"
