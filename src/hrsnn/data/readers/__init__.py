"""One module per kind of file: what lies in it, as a `Dataset` or a `Series`."""
