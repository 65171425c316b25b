"""The music that the networks of this folder are trained on, rebuilt from Debian packages.

python -m sample_data.pretrained.music OUT --corpus sample_data --corpus CORPUS
"""
