"""
The warehouse of a laptop: an embedded ClickHouse engine behind ClickHouse's HTTP protocol.

* ``authentication.py``  who is asking
* ``reading.py``         what an HTTP request asks for
* ``statements.py``      whether this user may ask it: the allow-list
* ``confinement.py``     what the engine itself refuses: grants, constraints, memory
* ``engine.py``          the one owner of the embedded engine
* ``server.py``          the HTTP edge

Two refusals stand behind each other. The engine runs as a user that was granted one database and no source
outside it, so it refuses files and addresses itself. The allow-list refuses what no grant covers. Together
they keep an analyst's mistake and a curious script inside the database; they are not a sandbox for hostile code.
"""
