//! What files are called inside an archive: as they were named, but so that every system can unpack them.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

/// Longest name, in bytes; file systems take 255, and unpackers add to it.
const NAME_BYTES_MAX: usize = 200;
/// Longest part after the last dot that is taken for an extension.
const EXTENSION_CHARS_MAX: usize = 10;
/// Names that Windows keeps for devices, with any extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The names of `wanted` inside an archive, each once: no path, nothing that a file system refuses, composed characters
/// (NFC), and a number where two would be the same to a system that does not tell upper from lower case. An extension in
/// `wanted` takes the place of the name's own.
pub(super) fn names<'a>(wanted: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Vec<String> {
    let mut taken = HashSet::new();
    wanted
        .map(|(name, extension)| {
            let (stem, own) = split(&clean(name));
            let extension = extension.map(str::to_owned).or(own);
            let mut number = 1;
            loop {
                let name = join(&stem, number, extension.as_deref());
                if taken.insert(name.to_lowercase()) {
                    return name;
                }
                number += 1;
            }
        })
        .collect()
}

fn clean(name: &str) -> String {
    let name: String =
        name.nfc().filter(|c| !turns_text(*c)).map(|c| if is_refused(c) { '_' } else { c }).collect();
    name.trim().trim_matches('.').trim().to_owned()
}

/// Marks that change the direction of text: with them `gpj.exe` is shown as `exe.jpg`.
const fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn is_refused(c: char) -> bool {
    c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
}

fn split(name: &str) -> (String, Option<String>) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && is_extension(extension) => {
            (stem.trim_end_matches(['.', ' ']).to_owned(), Some(extension.to_owned()))
        }
        _ => (name.to_owned(), None),
    }
}

fn is_extension(text: &str) -> bool {
    (1..=EXTENSION_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn join(stem: &str, number: u32, extension: Option<&str>) -> String {
    let tail = match (number, extension) {
        (1, None) => String::new(),
        (1, Some(extension)) => format!(".{extension}"),
        (_, None) => format!(" ({number})"),
        (_, Some(extension)) => format!(" ({number}).{extension}"),
    };
    let stem = if stem.is_empty() { "file" } else { stem };
    let room = NAME_BYTES_MAX.saturating_sub(tail.len() + 1);
    let end = (0..=room.min(stem.len())).rev().find(|at| stem.is_char_boundary(*at)).unwrap_or(0);
    let stem = stem[..end].trim_end();
    let device = stem.split('.').next().unwrap_or_default().to_lowercase();
    let mark = if is_device(&device) { "_" } else { "" };
    format!("{mark}{stem}{tail}")
}

fn is_device(stem: &str) -> bool {
    let numbered =
        |prefix: &str| stem.strip_prefix(prefix).is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']));
    DEVICES.contains(&stem) || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(wanted: &[&str]) -> Vec<String> {
        names(wanted.iter().map(|name| (*name, None)))
    }

    #[test]
    fn names_stay_as_they_are_where_they_can() {
        let kept = ["Kitchen 01.jpg", "Küche.jpg", "厨房.jpg", "кухня.tar.gz", "مطبخ.png", ".hidden"];
        let expected = ["Kitchen 01.jpg", "Küche.jpg", "厨房.jpg", "кухня.tar.gz", "مطبخ.png", "hidden"];
        assert_eq!(of(&kept), expected);
    }

    #[test]
    fn nothing_leaves_the_archive_or_is_refused_by_a_file_system() {
        let hostile = [
            "../../etc/passwd",
            "C:\\a\\b.jpg",
            "a\0b\n.jpg",
            "CON.jpg",
            "lpt1",
            "",
            "...",
            " . ",
            "x\u{202e}gpj.exe",
        ];
        let expected = [
            "_.._etc_passwd",
            "C__a_b.jpg",
            "a_b_.jpg",
            "_CON.jpg",
            "_lpt1",
            "file",
            "file (2)",
            "file (3)",
            "xgpj.exe",
        ];
        assert_eq!(of(&hostile), expected);
    }

    #[test]
    fn equal_names_are_numbered_whatever_their_case_or_composition() {
        assert_eq!(
            of(&["a.jpg", "A.JPG", "a.jpg", "a (2).jpg", "Ku\u{308}che.jpg", "Küche.jpg"]),
            ["a.jpg", "A (2).JPG", "a (3).jpg", "a (2) (2).jpg", "Küche.jpg", "Küche (2).jpg"]
        );
    }

    #[test]
    fn another_extension_takes_the_place_of_the_names_own() {
        let wanted = [("a.heic", Some("jpg")), ("a.HEIC", Some("jpg")), ("b", Some("jpg")), ("c.tif", None)];
        assert_eq!(names(wanted.into_iter()), ["a.jpg", "a (2).jpg", "b.jpg", "c.tif"]);
    }

    proptest! {
        #[test]
        fn any_names_become_as_many_different_plain_ones(wanted in prop::collection::vec(".{0,300}", 1..20)) {
            let names = names(wanted.iter().map(|name| (name.as_str(), None)));
            let folded: HashSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
            prop_assert_eq!(folded.len(), wanted.len());
            for name in names {
                prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX + 4, "{:?}", name);
                prop_assert!(!name.contains(is_refused) && name != ".." && name != ".", "{:?}", name);
            }
        }
    }
}
