"""Our log and our witness before software that nobody here wrote: Go's x/mod, and two packages of PyPI."""
