"""What the drivers in Python share: the words they are spoken to in, and how large a rung is."""

import json
import sys


def fit(width, height, edge):
    """The size with this long edge and the same shape, to the nearest pixel; nothing is enlarged."""
    long = max(width, height)
    edge = min(edge, long)
    return tuple(max(1, (2 * side * edge + long) // (2 * long)) for side in (width, height))


def path_of(folder, rung, format):
    return f"{folder}/{rung['name']}.{'jpg' if format == 'jpeg' else format}"


def largest_first(ladder):
    return sorted(ladder["rungs"], key=lambda rung: -rung["long_edge_px"])


def main(name, work):
    """Says its name, or answers a request a line: each names one of `work`."""
    if sys.argv[1:] == ["name"]:
        print(name)
        return
    work = {"inspect": lambda _: {"picture": {}}, **work}
    for line in sys.stdin:
        try:
            ((what, request),) = json.loads(line).items()
            answer = work[what](request)
        except Exception as error:
            answer = {"failed": {"code": "failed", "message": repr(error), "permanent": True}}
        print(json.dumps(answer), flush=True)
