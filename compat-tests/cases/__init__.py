"""Cases against a running broker; each file registers its own with `lib.lab.case`."""
