"""Archives in formats of MATLAB -> images, depth and lists, as `ListedFrames` reads them."""
