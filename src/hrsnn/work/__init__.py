"""Long work in units: what was finished is kept in files, and is not done again.

unit      one piece of work: what, for which seed
store     finished units, whole or absent, derived again when anything of them is missing or was changed
loop      what work is, which units may begin, and all of them done
pool      processes of this machine
cluster   executors that are asked for by address
"""
