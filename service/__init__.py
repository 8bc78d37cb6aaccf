"""The way of a ticket, from the HTTP request to the verified reply. The one folder that imports fastapi."""
