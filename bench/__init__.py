"""The benchmark: isocenter beside Orthanc and beside the limits of the machine, in one interleaved run.

`make bench` prints a table of figures with their targets. Nothing here asserts a time; a figure that
misses its target is printed as missed. Everything runs on loopback and ends by itself.
"""
