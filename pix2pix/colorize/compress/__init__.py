"""Compressed nets: smaller or quicker forms of a net, kept only if its colors stay.

gates.py says what may change, int8.py makes the graph of an .onnx file compute in 8 bits
(int8_graph.py holds what it does to the graph), prune.py takes channels out of weights.
"""
