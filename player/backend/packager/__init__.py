"""Segments and `pssh` boxes of the embedded clip, encrypted when they are asked for."""
