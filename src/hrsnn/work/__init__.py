"""Long work in units: what was finished is kept in files, and is not done again.

store   finished units, whole or absent, derived again when anything of them is missing or was changed
"""
