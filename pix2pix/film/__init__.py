"""Films: every frame in color, its luma as it was, and everything else of the file beside it.

names.py says what a film is and what its copy is called, jobs.py finds those of a run, films.py
makes them one after another: survey.py reads a film once, making.py turns it into its copy, by
parts (parts.py) that a killed run leaves for the next. frames.py decodes, picture.py knows how
frames lie in memory, coloring.py has the net color them, several at a time; scenes.py finds cuts,
steady.py keeps colors where the picture stands still, hints.py follows what a hint is on.
chroma.py joins luma and color, encoding.py writes, joining.py copies sound and all else.
reading.py opens files for all of them. Only names.py and jobs.py load without PyAV.
"""
