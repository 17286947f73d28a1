"""One module per design, each a thin layer over the field's own library, all returning rows of the estimates table."""
