"""Makes what is measured with: photographs of 24 megapixels, from those of the package mate-backgrounds.

The package has none of that size, so each is cut to 3:2, enlarged, and given the noise of a sensor, without which no
decoder has as much to do as with a camera's own file. They carry the sRGB profile, as everything does that a photographer
exports; one is there without it as well, because a profile costs some programs more than all the rest.
"""

import os
import sys

import numpy
from PIL import Image, ImageCms, ImageOps

FROM = "/usr/share/backgrounds/mate"
# Each with the standard deviation of its noise, of 255: those that are enlarged most have the least of their own.
PICTURES = [("abstract/Elephants_5640x3172", 4), ("nature/Wood", 7), ("nature/Aqua", 7), ("nature/Garden", 7),
            ("nature/LadyBird", 7), ("nature/TwoWings", 7), ("nature/YellowFlower", 7), ("nature/Storm", 7)]
SIZE = (6000, 4000)
SEED = 1
QUALITY = 92
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def main(folder):
    for number, (name, noise) in enumerate(PICTURES, 1):
        path = f"{folder}/photograph-{number}.jpg"
        if os.path.exists(path):
            continue
        image = ImageOps.fit(Image.open(f"{FROM}/{name}.jpg").convert("RGB"), SIZE, Image.Resampling.LANCZOS)
        pixels = numpy.asarray(image, dtype=numpy.float32)
        dice = numpy.random.default_rng(SEED + number)
        pixels = pixels + dice.standard_normal(pixels.shape, dtype=numpy.float32) * noise
        pixels = numpy.clip(pixels + 0.5, 0, 255).astype(numpy.uint8)
        image = Image.fromarray(pixels)
        save(image, path, icc_profile=SRGB)
        if number == 1:
            save(image, f"{folder}/plain.jpg")


def save(image, path, **more):
    image.save(f"{path}.part", "jpeg", quality=QUALITY, subsampling="4:2:0", **more)
    os.replace(f"{path}.part", path)


main(sys.argv[1])
