"""
Changes as other systems tell of them: one file for each, with a function ``read``.

``read(payload, at)`` returns the changes that a payload, a JSON object that was heard at *at*, tells of; none where it tells of something
else.
"""
