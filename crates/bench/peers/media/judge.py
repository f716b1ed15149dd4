"""Shows pictures to the judge: one decoder for everybody's, and what each of them should look like."""

import PIL
from PIL import Image

from words import fit, main


def shown(image, target):
    with open(target, "wb") as file:
        file.write(image.convert("RGB").tobytes())
    return {"picture": {"width": image.width, "height": image.height}}


def decode(request):
    return shown(Image.open(request["source"]), request["target"])


def ideal(request):
    """The whole photograph decoded, and one Lanczos from its full size."""
    image = Image.open(request["source"]).convert("RGB")
    size = fit(*image.size, request["long_edge_px"])
    return shown(image.resize(size, Image.Resampling.LANCZOS), request["target"])


main(f"Pillow {PIL.__version__}", {"decode": decode, "ideal": ideal})
