//! Colour: profiles to sRGB, inks to RGB, RGB to planes and back, full range to limited range.

use moxcms::{ColorProfile, DataColorSpace, Layout, ProfileText, TransformOptions};

use crate::MediaError;
use crate::frame::{Frame, Inks, Planar};
use crate::orient::Turn;
use crate::plane::Plane;

/// A colour profile found in a source.
pub(crate) struct Profile {
    profile: ColorProfile,
    pub(crate) description: Option<String>,
}

/// Samples per axis of the cube on which a profile is compared with sRGB.
const COMPARE_STEPS: u8 = 6;
/// Differences up to this many levels of 255 are rounding, not another colour space.
const COMPARE_LEVELS: u8 = 2;

impl Profile {
    /// Parses a profile; one that is broken is ignored, as browsers do.
    pub(crate) fn parse(icc: &[u8]) -> Option<Self> {
        let profile =
            crate::error::contained(|| ColorProfile::new_from_slice(icc).map_err(MediaError::corrupt))
                .ok()?;
        let description = profile.description.as_ref().and_then(|text| {
            let text = match text {
                ProfileText::PlainString(text) => text.clone(),
                ProfileText::Localizable(texts) => texts.first()?.value.clone(),
                ProfileText::Description(text) => text.ascii_string.clone(),
            };
            crate::rights::clean(text.as_bytes())
        });
        Some(Self { profile, description })
    }

    /// True when converting from it changes nothing visible, so the conversion (and leaving YCbCr for it)
    /// can be spared. Compared by effect, because sRGB has dozens of names and spellings.
    pub(crate) fn is_srgb(&self) -> bool {
        if self.profile.color_space != DataColorSpace::Rgb {
            return false;
        }
        let step = |index: u8| index * (255 / (COMPARE_STEPS - 1));
        let cube: Vec<u8> = (0..COMPARE_STEPS)
            .flat_map(|r| {
                (0..COMPARE_STEPS).flat_map(move |g| (0..COMPARE_STEPS).map(move |b| [r, g, b].map(step)))
            })
            .flatten()
            .collect();
        let mut converted = vec![0; cube.len()];
        self.convert(Layout::Rgb, Layout::Rgb, &cube, &mut converted).is_ok()
            && cube.iter().zip(&converted).all(|(a, b)| a.abs_diff(*b) <= COMPARE_LEVELS)
    }

    fn fits(&self, inks: Inks) -> bool {
        let expected = match inks {
            Inks::Gray => DataColorSpace::Gray,
            Inks::Rgb | Inks::Rgba => DataColorSpace::Rgb,
            Inks::Cmyk { .. } => DataColorSpace::Cmyk,
        };
        self.profile.color_space == expected
    }

    fn convert(&self, from: Layout, to: Layout, source: &[u8], target: &mut [u8]) -> Result<(), MediaError> {
        crate::error::contained(|| {
            let srgb = ColorProfile::new_srgb();
            self.profile
                .create_transform_8bit(from, &srgb, to, TransformOptions::default())
                .and_then(|transform| transform.transform(source, target))
                .map_err(MediaError::corrupt)
        })
    }

    /// Converts to sRGB, or gives nothing where the profile cannot be used: the picture is then shown as if
    /// it had none.
    fn apply(&self, plane: &Plane, inks: Inks) -> Option<Plane> {
        if !self.fits(inks) {
            return None;
        }
        let (from, to, channels) = match inks {
            Inks::Gray => (Layout::Gray, Layout::Rgb, 3),
            Inks::Rgb => (Layout::Rgb, Layout::Rgb, 3),
            Inks::Rgba => (Layout::Rgba, Layout::Rgba, 4),
            Inks::Cmyk { .. } => (Layout::Rgba, Layout::Rgb, 3),
        };
        let mut data = vec![0; plane.width * plane.height * channels];
        self.convert(from, to, &plane.data, &mut data).ok()?;
        Some(Plane::new(plane.width, plane.height, channels, data))
    }
}

/// Packed pixels of any ink, as a picture of the cascade.
pub(crate) fn to_frame(mut plane: Plane, inks: Inks, profile: Option<&Profile>, turn: Turn) -> Frame {
    if let Inks::Cmyk { inverted: true } = inks {
        plane.data.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    let converted = profile.and_then(|profile| profile.apply(&plane, inks));
    let mut pixels = match (converted, inks) {
        (Some(converted), _) => converted,
        (None, Inks::Cmyk { .. }) => cmyk_to_rgb(&plane),
        (None, _) => plane,
    };
    // Many files carry an alpha channel without using it; planes are faster and smaller.
    if pixels.channels == 4 && pixels.data.as_chunks::<4>().0.iter().all(|pixel| pixel[3] == 255) {
        pixels = on_white(&pixels);
    }
    let pixels = turn.apply(pixels);
    match pixels.channels {
        1 => Frame::Planar(Planar { luma: pixels, chroma: None }),
        3 => Frame::Planar(rgb_to_planar(&pixels)),
        _ => Frame::Alpha(pixels),
    }
}

/// Inks without a profile: plain multiplication, what browsers show.
fn cmyk_to_rgb(plane: &Plane) -> Plane {
    let (pixels, _) = plane.data.as_chunks::<4>();
    let mix = |ink: u8, black: u8| {
        let product = u32::from(255 - ink) * u32::from(255 - black);
        ((product + 127) / 255) as u8
    };
    let data = pixels.iter().flat_map(|&[c, m, y, k]| [mix(c, k), mix(m, k), mix(y, k)]).collect();
    Plane::new(plane.width, plane.height, 3, data)
}

/// RGBA on white, as RGB.
pub(crate) fn on_white(plane: &Plane) -> Plane {
    let (pixels, _) = plane.data.as_chunks::<4>();
    let blend = |value: u8, alpha: u8| {
        let sum = u32::from(value) * u32::from(alpha) + 255 * u32::from(255 - alpha);
        ((sum + 127) / 255) as u8
    };
    let data = pixels.iter().flat_map(|&[r, g, b, a]| [blend(r, a), blend(g, a), blend(b, a)]).collect();
    Plane::new(plane.width, plane.height, 3, data)
}

/// RGB to full-range BT.601 planes; chroma is the mean of each 2 x 2 group.
pub(crate) fn rgb_to_planar(plane: &Plane) -> Planar {
    let (width, height) = (plane.width, plane.height);
    let (pixels, _) = plane.data.as_chunks::<3>();
    let luma = pixels.iter().map(|&[r, g, b]| {
        let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
        ((sum + 32_768) >> 16) as u8
    });
    let luma = Plane::new(width, height, 1, luma.collect());
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut blue = Vec::with_capacity(half_width * half_height);
    let mut red = Vec::with_capacity(half_width * half_height);
    for y in 0..half_height {
        let (top, bottom) = (2 * y * width, (2 * y + 1).min(height - 1) * width);
        for x in 0..half_width {
            let (left, right) = (2 * x, (2 * x + 1).min(width - 1));
            let mut sum = [0_i32; 3];
            for at in [top + left, top + right, bottom + left, bottom + right] {
                for (total, &value) in sum.iter_mut().zip(&pixels[at]) {
                    *total += i32::from(value);
                }
            }
            let [r, g, b] = sum;
            // Sixteen fraction bits and the four pixels of the sum: shift by 18, centre at 128.
            let level = |weighted: i32| (((weighted + (1 << 17)) >> 18) + 128).clamp(0, 255) as u8;
            blue.push(level(-11_059 * r - 21_709 * g + 32_768 * b));
            red.push(level(32_768 * r - 27_439 * g - 5_329 * b));
        }
    }
    let chroma = [blue, red].map(|data| Plane::new(half_width, half_height, 1, data));
    Planar { luma, chroma: Some(chroma) }
}

/// Planes to opaque RGBA; chroma is repeated, which is enough for a hash and for 4:2:0 encoders.
pub(crate) fn planar_to_rgba(planar: &Planar) -> Plane {
    let (width, height) = (planar.luma.width, planar.luma.height);
    let mut data = Vec::with_capacity(width * height * 4);
    for (at, &luma) in planar.luma.data.iter().enumerate() {
        let (x, y) = (at % width, at / width);
        let (blue, red) = match &planar.chroma {
            Some([blue, red]) => {
                let from = (y / 2) * blue.width + x / 2;
                (i32::from(blue.data[from]) - 128, i32::from(red.data[from]) - 128)
            }
            None => (0, 0),
        };
        let luma = i32::from(luma) << 16;
        let level = |value: i32| ((value + 32_768) >> 16).clamp(0, 255) as u8;
        data.push(level(luma + 91_881 * red));
        data.push(level(luma - 22_554 * blue - 46_802 * red));
        data.push(level(luma + 116_130 * blue));
        data.push(255);
    }
    Plane::new(width, height, 4, data)
}

/// Full-range luma to the 16 to 235 that WebP stores.
pub(crate) fn limited_luma(plane: &Plane) -> Plane {
    map(plane, |value| (u32::from(value) * 219 + 127) / 255 + 16)
}

/// Full-range chroma to 16 to 240.
pub(crate) fn limited_chroma(plane: &Plane) -> Plane {
    map(plane, |value| {
        let centred = (i32::from(value) - 128) * 224;
        let rounded = (centred + centred.signum() * 127) / 255;
        (rounded + 128) as u32
    })
}

fn map(plane: &Plane, level: impl Fn(u8) -> u32) -> Plane {
    let table: Vec<u8> = (0..=u8::MAX).map(|value| level(value) as u8).collect();
    let data = plane.data.iter().map(|&value| table[usize::from(value)]).collect();
    Plane::new(plane.width, plane.height, plane.channels, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_and_back_is_within_rounding() {
        for color in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [12, 200, 99]] {
            let rgb = Plane::new(1, 1, 3, color.to_vec());
            let back = planar_to_rgba(&rgb_to_planar(&rgb)).data;
            for (a, b) in color.iter().zip(&back) {
                assert!(a.abs_diff(*b) <= 2, "{color:?} came back as {back:?}");
            }
        }
    }

    #[test]
    fn limited_range_keeps_its_ends_and_its_middle() {
        let ends = Plane::new(3, 1, 1, vec![0, 128, 255]);
        assert_eq!(limited_luma(&ends).data, [16, 126, 235]);
        assert_eq!(limited_chroma(&ends).data, [16, 128, 240]);
    }

    #[test]
    fn srgb_is_known_by_its_effect() {
        let profile = |profile: ColorProfile| Profile { profile, description: None };
        assert!(profile(ColorProfile::new_srgb()).is_srgb());
        assert!(!profile(ColorProfile::new_display_p3()).is_srgb());
        assert!(!profile(ColorProfile::new_adobe_rgb()).is_srgb());
    }
}
