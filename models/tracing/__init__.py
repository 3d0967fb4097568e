"""NumPy code as ONNX graphs: run once on arrays that write down what is done with them."""
