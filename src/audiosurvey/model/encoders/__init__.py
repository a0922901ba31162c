"""Pretrained encoders as blocks of a network: those of the Hugging Face Hub, and model files of other runtimes."""
