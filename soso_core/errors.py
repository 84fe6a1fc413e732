"""The errors a user can meet.  Each message is one line that says what is wrong and where."""


class SosoError(Exception):
    """Anything this package refuses to do; `exit_code` is what the `soso` command returns for it."""

    exit_code = 1


class InputError(SosoError):
    """Input that makes no sense: a bad file, a value out of range, an unknown key."""

    exit_code = 2


class ConvergenceError(SosoError):
    """An iteration that did not reach its tolerance; the result was thrown away."""

    exit_code = 3
