"""
Telemetry over HTTP: what producers post becomes records of the telemetry topics.

* ``application.py``  the ASGI application
* ``addresses.py``    what is posted where
* ``taking.py``       one request, from its first header to its answer
* ``settings.py``     the policy part `intake`: tokens and signatures
* ``admission.py``    who may post, and for which tenant
* ``room.py``         how much is in hand at once
* ``unpacking.py``    a body as it was before it was packed
* ``sorting.py``      which records it becomes: by service, as they are read later
* ``answers.py``      what each kind of publisher is answered
* ``metrics.py``      what Prometheus is told
"""
