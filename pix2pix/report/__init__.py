"""Report: pages and files for people.

Of an evaluation, evaluation_page.py. Of a run or of weights, a folder (folder.py): source.py finds
their files; layers.py, grids.py and evaluation.py read them; charts.py, histograms.py,
plot.py and run_page.py show them. blind.py asks people which photo is real; sheet.py is for looking
at photos whose colors nobody knows. paper.py is what the pages share.
"""
