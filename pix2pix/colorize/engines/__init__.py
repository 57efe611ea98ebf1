"""Engines: what runs a net on numpy arrays, (B, C, H, W) in and arrays by name out.

base.py says what an engine is, choose.py which of them runs what. onnx.py and openvino.py (which
computes a graph in two, openvino_halves.py) run an exported graph, graph.py reads it; torch.py runs
any net, batching.py joins the calls of several threads for a GPU. chance.py holds the random
numbers that a net takes, so that a take is the same on each. export.py writes a net as an ONNX
file, export_graph.py makes the graph in it.
"""
