"""Read the retrieved files of a job."""

from aiida.orm import FolderData


def text_of(folder: FolderData, name: str) -> str:
    """Return a file of a folder as text, empty when it is absent; invalid bytes become replacement characters."""
    if name not in folder.base.repository.list_object_names():
        return ""
    return str(folder.base.repository.get_object_content(name, mode="rb").decode("utf8", errors="replace"))
