"""A persister that stores nothing: no test resumes an interrupted process, and writing costs a fifth of the time."""

from typing import Any

from plumpy.persistence import Persister


class NoCheckpoints(Persister):
    """Store no checkpoint."""

    def save_checkpoint(self, process: Any, tag: Any = None) -> None:
        """Do nothing."""

    def load_checkpoint(self, pid: Any, tag: Any = None) -> Any:
        """Raise NotImplementedError: there is no checkpoint."""
        raise NotImplementedError

    def get_checkpoints(self) -> list[Any]:
        """Return no checkpoints."""
        return []

    def get_process_checkpoints(self, pid: Any) -> list[Any]:
        """Return no checkpoints."""
        return []

    def delete_checkpoint(self, pid: Any, tag: Any = None) -> None:
        """Do nothing."""

    def delete_process_checkpoints(self, pid: Any) -> None:
        """Do nothing."""
