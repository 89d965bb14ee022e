"""What `tocsin up` and `tocsin demo` run on one machine."""
