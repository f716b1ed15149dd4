"""Pillow at its best: one decode, shrunk while it is read, then a cascade of Lanczos."""

import os

import PIL
from PIL import Image, ImageOps

from words import fit, largest_first, main, path_of

OPTIONS = {"jpeg": {"subsampling": "4:2:0", "optimize": True}, "webp": {"method": 4}}


def pictures(request):
    image = Image.open(request["source"])
    width, height = image.size
    if image.getexif().get(0x0112, 1) > 4:
        width, height = height, width
    made = []
    for place, rung in enumerate(largest_first(request["ladder"])):
        size = fit(width, height, rung["long_edge_px"])
        if place == 0:
            image.draft("RGB", fit(*image.size, rung["long_edge_px"]))
            image = image.resize(fit(*image.size, rung["long_edge_px"]), Image.Resampling.LANCZOS)
            image = ImageOps.exif_transpose(image)
        else:
            image = image.resize(size, Image.Resampling.LANCZOS)
        for format in rung["formats"]:
            path = path_of(request["folder"], rung, format)
            image.save(path, format, quality=rung["quality"], exif=b"", **OPTIONS[format])
            made.append({"rung": rung["name"], "format": format, "width": size[0], "height": size[1],
                         "bytes": os.path.getsize(path), "path": path})
    return {"pictures": {"pictures": made}}


main(f"Pillow {PIL.__version__}", {"pictures": pictures})
