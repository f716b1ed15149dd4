//! Integers that would not come out as they came in.
//!
//! Readers of JSON hold numbers as 64-bit integers or as floating point, and so do databases: a longer integer becomes
//! another one on its way (RFC 8259, section 6). Nobody who sends one wants that.

/// The first integer in `json` that neither `i64` nor `u64` holds.
pub(crate) fn too_long_integer(json: &[u8]) -> Option<&str> {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9')) {
        rest = &rest[at..];
        let length = if rest[0] == b'"' { string_length(rest) } else { number_length(rest) };
        let (token, after) = rest.split_at(length);
        rest = after;
        let Ok(token) = std::str::from_utf8(token) else { continue };
        let is_integer = token.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9'));
        if is_integer && token.parse::<i64>().is_err() && token.parse::<u64>().is_err() {
            return Some(token);
        }
    }
    None
}

/// Bytes of the string that `json` begins with, quotes included.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

fn number_length(json: &[u8]) -> usize {
    let ends = |byte: &u8| !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    json.iter().position(ends).unwrap_or(json.len())
}

#[cfg(test)]
mod tests {
    use super::too_long_integer;

    #[test]
    fn only_integers_beyond_64_bits_are_found() {
        for fine in [
            "",
            "{}",
            "18446744073709551615",
            "-9223372036854775808",
            r#"{"a": 1.00000000000000000000001, "b": 1e400, "c": -0, "0": [1,22,3]}"#,
            r#"{"digits": "99999999999999999999", "\"": "\\", "x": "\"99999999999999999999"}"#,
            "\"99999999999999999999",
        ] {
            assert_eq!(too_long_integer(fine.as_bytes()), None, "{fine}");
        }
        for (wrong, which) in [
            ("18446744073709551616", "18446744073709551616"),
            (r#"{"a\"":[1,-9223372036854775809,2]}"#, "-9223372036854775809"),
            (r#"{"a\\":99999999999999999999}"#, "99999999999999999999"),
        ] {
            assert_eq!(too_long_integer(wrong.as_bytes()), Some(which), "{wrong}");
        }
    }
}
