"""Which photograph of a split a file of detections speaks of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath

from frcnn_cli.errors import DataError
from frcnn_cli.records import Sample


class PhotographFinder:
    """Finds samples by the name under which a tool lists them.

    A tool may list a photograph by its image id, its file name, or any path to it, since it may
    have run in another folder.

    Args:
        samples: the photographs that there are.
    """

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._paths = {sample.image_id: sample.path for sample in samples}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for image_id, path in self._paths.items():
            self._by_name[path.name].append(image_id)

    def find(self, name: str) -> str:
        """Returns the image id of the photograph `name`.

        Raises:
            DataError: the split has no such photograph, or several that fit equally well.
        """
        if name in self._paths:
            return name
        candidates = self._by_name.get(PurePath(name).name, [])
        if len(candidates) > 1:
            shared = [_common_tail(PurePath(name), self._paths[each]) for each in candidates]
            candidates = [
                each for each, count in zip(candidates, shared, strict=True) if count == max(shared)
            ]
        if not candidates:
            raise DataError(
                f"photograph {name!r} is not in the split",
                remedy="evaluate the split that was detected",
            )
        if len(candidates) > 1:
            raise DataError(
                f"photograph {name!r} could be {candidates[0]!r} or {candidates[1]!r}",
                remedy="list photographs with their folders",
            )
        return candidates[0]


def _common_tail(a: PurePath, b: PurePath) -> int:
    """Returns how many parts two paths share, counted from the file name backwards."""
    count = 0
    for mine, other in zip(reversed(a.parts), reversed(b.parts), strict=False):
        if mine != other:
            break
        count += 1
    return count
