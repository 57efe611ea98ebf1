"""Archives: photos in buckets and on servers, in parts for many machines, each copied exactly once.

addresses.py tells URLs from paths and shows them without secrets; attempts.py tries again and types
what libraries raise. stores.py opens stores (store.py): urls.py behind a URL, folders.py in a
folder; listings.py says what is in one. inputs.py says what a URL means, finding.py makes jobs
(store_jobs.py) of what is there, done.py knows which are done, and copying.py copies them.
shards.py says which part is this machine's. runs.py makes a run of all that: noted in a manifest
(manifest.py), whose numbers measured.py takes, and copied here or by a fleet: fleet.py and
cluster.py know Ray, blocks.py and actors.py do not. fsspec, pyarrow, Ray and the packages behind
them load where they are first used.
"""
