"""libvips at its best: one decode, shrunk while it is read, kept in memory, then a cascade."""

import os

import pyvips

from words import fit, largest_first, main, path_of

# Every photograph is another one to a server that makes ladders; nothing of the one before may help.
pyvips.cache_set_max(0)


def write(image, format, path, quality):
    if format == "jpeg":
        image.jpegsave(path, Q=quality, optimize_coding=True, keep="none")
    else:
        image.webpsave(path, Q=quality, effort=4, keep="none")


def pictures(request):
    header = pyvips.Image.new_from_file(request["source"])
    width, height = header.width, header.height
    if header.get_typeof("orientation") and header.get("orientation") > 4:
        width, height = height, width
    made, image = [], None
    for rung in largest_first(request["ladder"]):
        size = fit(width, height, rung["long_edge_px"])
        if image is None:
            image = pyvips.Image.thumbnail(request["source"], size[0], height=size[1], size="force")
        else:
            image = image.resize(size[0] / image.width, vscale=size[1] / image.height, kernel="lanczos3")
        image = image.copy_memory()
        for format in rung["formats"]:
            path = path_of(request["folder"], rung, format)
            write(image, format, path, rung["quality"])
            made.append({"rung": rung["name"], "format": format, "width": image.width, "height": image.height,
                         "bytes": os.path.getsize(path), "path": path})
    return {"pictures": {"pictures": made}}


version = ".".join(str(pyvips.version(part)) for part in range(3))
main(f"libvips {version}", {"pictures": pictures})
