"""The logic of the four agents, as plain functions: no agent, no quest and no socket is known here.

``diff`` reads, ``security`` and ``quality`` judge, ``verdict`` decides, ``page`` prints; ``model`` is what they
say to each other.
"""
