"""The other simulators: one script each, run by an interpreter that has it, and what each of them can be asked."""
