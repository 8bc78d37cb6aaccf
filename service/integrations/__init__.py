"""Support tools: a webhook comes in, labels and a drafted reply go back. One module a tool, over one interface.

`tool.py` is the interface, `zendesk.py` and `chatwoot.py` are the tools, `desk.py` answers what they send,
`deliveries.py` loses nothing of it. Nothing in here decides what a reply says: that is the pipeline's.
"""
