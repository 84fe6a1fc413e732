"""Lines about the labels of a batch that a user should see."""

from typing import Any


def below_grade_lines(batch: dict[str, Any]) -> list[str]:
    """Return a line for every label of a batch that was not good enough to train on."""
    return [f"label {item['label']} of batch {batch['batch']} is of grade {item['grade']} ({limit_of(item)}): kept, "
            "not trained on" for item in batch.get("below_grade", [])]  # fmt: skip


def limit_of(item: dict[str, Any]) -> str:
    """Return the number that limits a grade, as text."""
    return "no numbers given" if item["limited_by"] is None else f"{item['limited_by']} {item['value']:.3g}"


def field_warning(batch: dict[str, Any]) -> str | None:
    """Return one line when energies and fields of all labels up to this batch disagree."""
    found = batch.get("field_scale")
    if found is None or not found["disagrees"]:
        return None
    return (
        f"warning: up to batch {batch['batch']} -dE/de by the energies is {found['value']:.2f} ± {found['error']:.2f} "
        "times the fields of the labels; the factor of the fields is wrong, or states were mixed"
    )
