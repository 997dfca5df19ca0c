"""Networks as modules of torch, to be trained by backpropagation, and back; `hrsnn.torch` is the door."""
