"""Messages about the labels of a batch."""

from soso_core.active.stopping.records import BatchRecord, BelowGrade


def below_grade_lines(batch: BatchRecord) -> list[str]:
    """Return a line for every label of a batch that is below the minimum grade."""
    return [
        f"label {item.label} of batch {batch.batch} has grade {item.grade} ({limit_of(item)}) and was excluded from "
        "training"
        for item in batch.below_grade
    ]


def limit_of(item: BelowGrade) -> str:
    """Return the quantity that limits a grade and its value, as text."""
    return "no numbers given" if item.limited_by is None else f"{item.limited_by} {item.value:.3g}"


def field_warning(batch: BatchRecord) -> str | None:
    """Return a line when energies and fields of all labels up to this batch disagree."""
    found = batch.field_scale
    if found is None or not found.disagrees:
        return None
    return (
        f"warning: up to batch {batch.batch}, effective fields from the energies are {found.value:.2f} ± "
        f"{found.error:.2f} times those of the labels; the field scale is wrong, or labels belong to different "
        "electronic states"
    )


def label_warnings(batch: BatchRecord) -> list[str]:
    """Return all messages about the labels of a batch."""
    warning = field_warning(batch)
    return [*below_grade_lines(batch), *([] if warning is None else [warning])]
