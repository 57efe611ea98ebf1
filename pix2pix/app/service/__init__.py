"""The service: the page and an HTTP API, safe for requests from strangers.

server.py starts it, launcher.py for app.py, here or in a Space; models.py loads the model that
the page compares with. A request passes protocol.py (bytes, time), routes.py (a proxy's prefix),
cors.py, edge.py (hosts.py, limits), and then api.py (parameters.py, bodies.py, forms.py) or the
page's door.py (which of Gradio's routes are open, calls.py: what a call may say, answers.py).
page_server.py makes the page; logs.py and printed.py write the log, refusal.py and failures.py
answer what is refused, docs.py describes the API.
"""
