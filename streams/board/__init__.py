"""
What people and services ask over HTTP.

* ``application.py``  the ASGI application: put together of parts
* ``part.py``         what a part is: addresses, their description, their guards
* ``callbacks.py``    a part: providers say what somebody did over there
* ``status.py``       a part: the status pages, their feeds, and Statuspage's API
* ``in_force.py``     the policy that all of it goes by
* ``limits.py``       how much of a request is read, and how often
* ``headers.py``      what every answer says to browsers
"""
