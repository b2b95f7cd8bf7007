"""Measures who stores how much, beside the file server; needs nothing but Python.

Every collector makes readings, and a reading is one line of JSON. The portal runs the same program
for what it can reach itself.
"""
