"""Why a process did not succeed, in one line."""

from aiida.orm import ProcessNode


def failure_reason(process: ProcessNode) -> str:
    """Return the exit message of a process, or its state when it has none."""
    state = process.process_state
    return str(process.exit_message or (state.value if state else "never started"))


def describe_failure(process: ProcessNode) -> str:
    """Return label, PK and failure reason of a process."""
    return f"{process.process_label}<{process.pk}> {failure_reason(process)}"
