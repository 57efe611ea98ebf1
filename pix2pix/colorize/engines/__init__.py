"""Engines: what runs a net on numpy arrays, (B, C, H, W) in and arrays by name out.

torch.py runs it with PyTorch, export.py writes it as an ONNX file, export_graph.py makes the graph
in it; chance.py holds the random numbers that a net takes, so that a take is the same on each.
"""
