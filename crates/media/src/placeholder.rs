//! What stands where a picture will be, from the 25 bytes that a ThumbHash takes.

/// Red, green and blue in the upper left, in the middle, and in the lower right of the picture that `thumbhash` stands for;
/// none when it is no ThumbHash.
pub fn colours(thumbhash: &[u8]) -> Option<[[u8; 3]; 3]> {
    let (width, height, rgba) = thumbhash::thumb_hash_to_rgba(thumbhash).ok()?;
    let at = |fifths: usize| {
        let (x, y) = (width * fifths / 10, height * fifths / 10);
        rgba.get(4 * (y * width + x)..)?.first_chunk::<3>().copied()
    };
    Some([at(2)?, at(5)?, at(8)?])
}

#[cfg(test)]
mod tests {
    use super::colours;

    #[test]
    fn a_placeholder_has_the_colours_of_its_picture() {
        let (blue, yellow) = ([20, 40, 220, 255], [240, 220, 30, 255]);
        let picture: Vec<u8> = (0..32 * 32).flat_map(|at| if at / 32 < 16 { blue } else { yellow }).collect();
        let [above, _, below] = colours(&thumbhash::rgba_to_thumb_hash(32, 32, &picture)).unwrap();
        assert!(above[2] > above[0] && below[0] > below[2], "{above:?} {below:?}");
    }

    #[test]
    fn what_is_no_thumbhash_has_none() {
        assert_eq!(colours(&[]), None);
        assert_eq!(colours(&[1, 2, 3]), None);
    }
}
