"""What travels in a training pack besides the models' own sources. kallos copies these files and never imports them.

train         the runner
safetensors   stands in for the library on a machine that has torch and torchvision alone
"""
