"""The rules that come with phitrail, in the files beside this module.

They are read like rules of the house (`detect.rule`), in the order of the names of their files.
"""

from importlib import resources

FOLDER = "rules"


def packaged_rules() -> tuple[tuple[str, bytes], ...]:
    """Return the name and bytes of each rule file."""
    folder = resources.files(__package__) / FOLDER
    files = [one for one in folder.iterdir() if one.name.endswith(".yml")]
    return tuple(
        (f"{FOLDER}/{one.name}", one.read_bytes())
        for one in sorted(files, key=lambda one: one.name)
    )
