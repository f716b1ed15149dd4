//! Where an event stands among those about the same thing: what its sender counts or dates them with.

use chrono::DateTime;
use serde_json::Value;

/// Digits on either side of the point.
const DIGITS_MAX: usize = 30;
/// The last of a second.
const LAST_NANO: u32 = 999_999_999;

/// What stands at `pointer` of a body, as a decimal number: a number, its digits as text, or a time of RFC 3339 as the seconds
/// since 1970. None where nothing stands that grows.
pub fn sequence(body: &Value, pointer: &str) -> Option<String> {
    match body.pointer(pointer)? {
        Value::Number(number) => decimal(&number.to_string()),
        Value::String(text) => decimal(text).or_else(|| seconds(text)),
        _ => None,
    }
}

fn decimal(text: &str) -> Option<String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| {
        (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    (is_number(whole) && is_number(part)).then(|| text.to_owned())
}

fn seconds(text: &str) -> Option<String> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    let whole = u64::try_from(at.timestamp()).ok()?;
    // A leap second has more.
    Some(format!("{whole}.{:09}", at.timestamp_subsec_nanos().min(LAST_NANO)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_senders_count_and_date_with_is_read() {
        for (said, read) in [
            (json!(1_700_000_000), Some("1700000000")),
            (json!("1700000000.000100"), Some("1700000000.000100")),
            (json!("2023-11-14T22:13:20Z"), Some("1700000000.000000000")),
            (json!("2023-11-14T23:13:20.25+01:00"), Some("1700000000.250000000")),
            (json!("00017"), Some("00017")),
            (json!(-5), None),
            (json!("1969-12-31T23:59:59Z"), None),
            (json!("yesterday"), None),
            (json!("1."), None),
            (json!("9".repeat(31)), None),
            (json!(1e300), None),
            (json!(true), None),
            (json!([1]), None),
        ] {
            assert_eq!(sequence(&json!({"at": said}), "/at").as_deref(), read, "{said}");
        }
        assert_eq!(sequence(&json!({}), "/at"), None);
    }
}
