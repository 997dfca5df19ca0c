"""Long work in units: what was finished is kept in files, and is not done again.

unit      one piece of work: what, for which seed
store     finished units, whole or absent, derived again when anything of them is missing or was changed
workers   units done in this process or in others
"""
