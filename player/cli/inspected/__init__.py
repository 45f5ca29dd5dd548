"""What `keystorm inspect` finds, one module a kind of input: each makes a `Report`, as facts and as a page."""
