"""The service: the page and an HTTP API, which strangers may ask.

server.py starts it. A request passes protocol.py (bytes, time), edge.py (hosts.py, cors.py,
bodies.py, limits), door.py (which of Gradio's routes are open, and asked.py: what a call may say)
and api.py (parameters.py, forms.py). page_server.py mounts the page; logs.py and printed.py write
the log, docs.py describes the API.
"""
