"""Sounds whose parts are known: bars of drums and phrases of instruments, with all their events.

python -m sample_data.known_parts drums OUT
"""
