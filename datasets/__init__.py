"""Registered TFDS builders live here, one folder each; the folder is imported as clgan_tf_datasets."""
