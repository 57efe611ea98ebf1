"""The app: what people use in a browser and programs over HTTP.

page/ is the Gradio page, service/ serves it with an API. workers.py colors for both, storage.py,
temporary.py and limits.py bound what they may take. space.py writes a Hugging Face Space of it all.
"""
