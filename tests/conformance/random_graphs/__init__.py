"""Random valid graphs and the answers that ONNX's reference evaluator gives to them.

`grower` builds a graph node by node; `rules`, `more_rules`, `rare_rules`, `blocks` and `quantized` say what a node may
be; `question` makes a model of it, asks for the answer and judges it.
"""
