//! How many segments a text message takes, which is what it costs.
//!
//! GSM 03.38: 160 septets in one message, 153 in each of several; anything outside its alphabet makes all of it UCS-2, of
//! 70 and 67 units. Neither an escaped character nor what a person sees as one is torn
//! apart.

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// The alphabet of GSM 03.38, apart from the escape.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// What takes an escape before it.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";
/// Units of a message that is one segment, and of each of several, by GSM 03.38.
const GSM_UNITS: (usize, usize) = (160, 153);
/// The same by UCS-2.
const UCS2_UNITS: (usize, usize) = (70, 67);

/// How a text is written on the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// GSM 03.38, seven bits a character.
    Gsm7,
    /// Sixteen bits a unit.
    Ucs2,
}

/// What a text takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segments {
    /// How it is written.
    pub encoding: Encoding,
    /// Septets, or units of sixteen bits.
    pub units: usize,
    /// Segments; none for an empty text.
    pub count: usize,
}

/// Counts the segments of `text`.
pub fn segments(text: &str) -> Segments {
    match text.chars().map(septets).collect::<Option<Vec<usize>>>() {
        Some(widths) => count(Encoding::Gsm7, &widths, GSM_UNITS),
        None => count(Encoding::Ucs2, &units(text), UCS2_UNITS),
    }
}

fn septets(character: char) -> Option<usize> {
    if BASIC.contains(character) { Some(1) } else { EXTENDED.contains(character).then_some(2) }
}

/// Units of each thing that stays whole: a family of emoji, a letter with its accents; unless it takes a segment and more.
fn units(text: &str) -> Vec<usize> {
    let mut widths = Vec::new();
    for cluster in text.graphemes(true) {
        let width: usize = cluster.chars().map(char::len_utf16).sum();
        if width > UCS2_UNITS.1 || cluster == "\r\n" {
            widths.extend(cluster.chars().map(char::len_utf16));
        } else {
            widths.push(width);
        }
    }
    widths
}

fn count(encoding: Encoding, widths: &[usize], (alone, each): (usize, usize)) -> Segments {
    let units = widths.iter().sum();
    if units <= alone {
        return Segments { encoding, units, count: usize::from(units > 0) };
    }
    let (mut count, mut used) = (1, 0);
    for width in widths {
        if used + width > each {
            count += 1;
            used = 0;
        }
        used += width;
    }
    Segments { encoding, units, count }
}

/// `text` with typographers' characters as a typewriter has them: one curly quote would make all of it UCS-2.
pub(crate) fn straightened(text: &str) -> String {
    let mut straight = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '‘' | '’' | '‚' | '‛' | '′' => straight.push('\''),
            '“' | '”' | '„' | '‟' | '«' | '»' | '″' => straight.push('"'),
            '–' | '—' | '‐' | '‑' | '−' => straight.push('-'),
            '…' => straight.push_str("..."),
            '•' | '·' => straight.push('*'),
            '\u{a0}' | '\u{202f}' | '\u{2009}' | '\t' => straight.push(' '),
            '\u{200b}' | '\u{feff}' => {}
            other => straight.push(other),
        }
    }
    straight
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> (Encoding, usize, usize) {
        let Segments { encoding, units, count } = segments(text);
        (encoding, units, count)
    }

    #[test]
    fn the_alphabet_is_whole() {
        // 128 places, of which one is the escape.
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(EXTENDED.chars().count(), 10);
    }

    #[test]
    fn segments_end_where_the_network_ends_them() {
        use Encoding::{Gsm7, Ucs2};
        for (text, expected) in [
            (String::new(), (Gsm7, 0, 0)),
            ("a".repeat(160), (Gsm7, 160, 1)),
            ("a".repeat(161), (Gsm7, 161, 2)),
            ("a".repeat(306), (Gsm7, 306, 2)),
            ("a".repeat(307), (Gsm7, 307, 3)),
            // The euro takes two, and is not torn apart at the edge.
            ("a".repeat(158) + "€", (Gsm7, 160, 1)),
            ("a".repeat(159) + "€", (Gsm7, 161, 2)),
            ("a".repeat(152) + "€" + &"a".repeat(151), (Gsm7, 305, 2)),
            ("a".repeat(152) + "€" + &"a".repeat(152), (Gsm7, 306, 3)),
            ("ж".repeat(70), (Ucs2, 70, 1)),
            ("ж".repeat(71), (Ucs2, 71, 2)),
            ("ж".repeat(134), (Ucs2, 134, 2)),
            ("ж".repeat(135), (Ucs2, 135, 3)),
            // One emoji makes all of it UCS-2, and takes two units.
            ("a".repeat(68) + "🎉", (Ucs2, 70, 1)),
            ("a".repeat(69) + "🎉", (Ucs2, 71, 2)),
            // A surrogate pair is not torn apart: the first segment has 66 units, the second 68 would not fit.
            ("a".repeat(66) + "𠮷" + &"a".repeat(65), (Ucs2, 133, 2)),
            ("a".repeat(66) + "𠮷" + &"a".repeat(66), (Ucs2, 134, 3)),
            // A family is four people and three joiners.
            ("👨\u{200d}👩\u{200d}👧\u{200d}👦".to_owned(), (Ucs2, 11, 1)),
            // A combining accent is a character of its own, and not in the alphabet.
            ("e\u{301}".to_owned(), (Ucs2, 2, 1)),
            ("שלום".to_owned(), (Ucs2, 4, 1)),
        ] {
            assert_eq!(told(&text), expected, "{text:?}");
        }
    }

    /// As Twilio's own calculator counts, `fixtures/segments.js`: text, encoding, units, segments.
    #[test]
    fn texts_take_what_the_carrier_says_they_take() {
        let told: Vec<(String, Encoding, usize, usize)> =
            serde_json::from_str(include_str!("../fixtures/segments.json")).unwrap();
        assert!(told.len() > 500);
        for (text, encoding, units, count) in told {
            assert_eq!(segments(&text), Segments { encoding, units, count }, "{text:?}");
        }
    }

    #[test]
    fn curly_quotes_need_not_cost_a_segment() {
        let text = "“It’s ready” – see you…";
        assert_eq!(segments(text).encoding, Encoding::Ucs2);
        assert_eq!(straightened(text), "\"It's ready\" - see you...");
        assert_eq!(segments(&straightened(text)).encoding, Encoding::Gsm7);
    }

    proptest! {
        #[test]
        fn every_text_fits_into_its_segments(text in "(?s).{0,400}") {
            let Segments { encoding, units, count } = segments(&text);
            let (alone, each) = if encoding == Encoding::Gsm7 { GSM_UNITS } else { UCS2_UNITS };
            prop_assert_eq!(count == 0, text.is_empty());
            let room = if count <= 1 { alone } else { count * each };
            prop_assert!(units <= room);
            prop_assert!(count <= 1 || units > alone);
            // At most one unit of each segment but the last is left free; more only where something stays whole.
            prop_assert!(count <= 1 || encoding == Encoding::Ucs2 || units > (count - 1) * (each - 1));
        }

        #[test]
        fn a_straightened_text_stays_straight(text in "(?s).{0,80}") {
            let once = straightened(&text);
            prop_assert_eq!(&straightened(&once), &once);
        }
    }
}
