"""Published search spaces, one file each."""
