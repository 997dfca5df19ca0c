"""What every document of `hrsnn.report` is made of: pages, drawings, tables, words."""
