"""The end of a run that VASP would not begin."""


class Refusal(Exception):
    """Input that VASP stops at; the message is what it prints."""
