"""Archives: photos in buckets and on servers, in parts for many machines, each copied exactly once.

addresses.py tells URLs from paths and shows them without secrets; attempts.py tries again and types
what libraries raise; stores.py has keys and bytes behind a URL, or in a folder (folders.py), and
listings.py what is in it; finding.py makes jobs of the keys and done.py says which of them are
done; copying.py copies them. shards.py says which part is this machine's. runs.py makes a run of
all that: noted in a manifest (manifest.py), whose numbers measured.py takes, and copied here or by
a fleet: fleet.py and cluster.py know Ray, blocks.py and actors.py do not. fsspec, pyarrow, Ray and
the packages behind them load where they are first used.
"""
