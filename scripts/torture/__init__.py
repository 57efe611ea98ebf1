"""What issue reports, archives and strangers do to the package, counted: one section a file."""
