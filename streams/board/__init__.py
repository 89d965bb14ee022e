"""
What people and services ask over HTTP.

* ``application.py``  the ASGI application: which parts answer under which paths
* ``callbacks.py``    providers say what somebody did over there
* ``status.py``       the status page, its feeds, and Statuspage's API
* ``limits.py``       how much of a request is read
"""
