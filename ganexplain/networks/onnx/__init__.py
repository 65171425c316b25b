"""Runs the graph of an ONNX file node by node with torch operators."""
