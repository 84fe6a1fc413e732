"""A persister that keeps nothing: no test goes on with a process that was interrupted, and writing costs a fifth."""

from typing import Any

from plumpy.persistence import Persister


class NoCheckpoints(Persister):
    """Forget every checkpoint."""

    def save_checkpoint(self, process: Any, tag: Any = None) -> None:
        """Do nothing."""

    def load_checkpoint(self, pid: Any, tag: Any = None) -> Any:
        """Raise: there is none."""
        raise NotImplementedError

    def get_checkpoints(self) -> list[Any]:
        """Return none."""
        return []

    def get_process_checkpoints(self, pid: Any) -> list[Any]:
        """Return none."""
        return []

    def delete_checkpoint(self, pid: Any, tag: Any = None) -> None:
        """Do nothing."""

    def delete_process_checkpoints(self, pid: Any) -> None:
        """Do nothing."""
