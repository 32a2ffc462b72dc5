"""Crystal graphs: built from CIFs, kept on disk, and the networks that read them."""
