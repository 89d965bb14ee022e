"""
What rules should tell, worked out as naively as can be: all that was heard is kept, and looked at again each second.

Written from what rules say of themselves, not from how they do it. Whoever compares puts everything on full seconds.
"""
