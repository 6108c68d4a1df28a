"""Makes the folders of `mappings/ehrs/` out of two collections of public facts; see `__main__`."""
