"""The app: what people use in a browser and programs over HTTP.

page/ is the Gradio page, service/ serves it with an API. workers.py colors for both, limits.py
and storage.py bound what they may take, temporary.py has their folders. space.py writes a
Hugging Face Space of it all.
"""
