"""
What can go wrong, and what the pipeline does about it.

* Rejected              never processable: put aside, carry on
  + IllegalTrigger      the incident's state does not accept it
  + UnknownIncident     there is no such incident
  + ForAPerson          its sender waits for a person to do something
  + Fault               our bug, met by a record that nothing else depends on
* PolicyError           an operator's configuration: said with all problems at once, nothing starts
* SettingsError         likewise, of the environment
* Unavailable           something outside does not answer: said, or tried again where it can be
  + AccessRefused       it answers, and wants other settings
* anything else         our bug or our infrastructure: the worker stops, nothing is acknowledged
"""


class TocsinError(Exception):
    """A failure whose text is meant for a person."""


class Rejected(TocsinError):
    """A message that can never be processed. The text is its reason and never quotes it."""


class IllegalTrigger(Rejected):
    """The incident's state does not accept this."""


class UnknownIncident(Rejected):
    """There is no such incident."""


class ForAPerson(Rejected):
    """It is no telemetry: its sender asks something of a person, whom its dead letter must reach."""


class Fault(Rejected):
    """A record met a bug of ours where no state can have been spoilt. The text names its kind and the hop."""

    def __init__(self, hop: str, fault: Exception) -> None:
        super().__init__(f"fault in {hop}: {type(fault).__name__}")


class PolicyError(TocsinError):
    """The policy cannot be used; the text has one line for each problem."""


class SettingsError(TocsinError):
    """The environment cannot be used; the text has one line for each problem."""


class Unavailable(TocsinError):
    """Something outside the process does not answer."""


class AccessRefused(Unavailable):
    """It answers, and does not let us in: waiting will not help, other settings will."""
