"""Pretrained encoders of the Hugging Face Hub as blocks of a network: the library `transformers` computes them."""
