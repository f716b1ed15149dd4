//! In which language: what was asked for, what it is a kind of, and English.

/// The language that every template of the product has.
pub(crate) const LAST: &str = "en";
/// Letters and digits of one part of a locale.
const SUBTAG_CHARS: std::ops::RangeInclusive<usize> = 1..=8;
/// Parts of a locale, such as three in `zh-Hant-TW`.
const SUBTAGS_MAX: usize = 4;

/// Whether `text` is shaped like a locale: `de`, `de-AT`, `zh-Hant-TW`.
pub fn is_locale(text: &str) -> bool {
    let part = |part: &str| {
        SUBTAG_CHARS.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let first = text.split('-').next().unwrap_or_default();
    (2..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_lowercase())
        && text.split('-').count() <= SUBTAGS_MAX
        && text.split('-').all(part)
}

/// `locale`, what it is a kind of, and so on down to English: `de-AT`, `de`, `en`.
pub fn fallbacks(locale: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = locale;
    while !rest.is_empty() {
        all.push(rest.to_owned());
        rest = rest.rsplit_once('-').map_or("", |(shorter, _)| shorter);
    }
    if all.last().is_none_or(|last| last != LAST) {
        all.push(LAST.to_owned());
    }
    all
}

/// What the link says that ends messages of a sort.
pub fn unsubscribe_label(locale: &str) -> &'static str {
    if locale == "de" || locale.starts_with("de-") { "Abbestellen" } else { "Unsubscribe" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_falls_back_part_by_part_to_english() {
        assert_eq!(fallbacks("de-AT"), ["de-AT", "de", "en"]);
        assert_eq!(fallbacks("zh-Hant-TW"), ["zh-Hant-TW", "zh-Hant", "zh", "en"]);
        assert_eq!((fallbacks("en"), fallbacks("")), (vec!["en".to_owned()], vec!["en".to_owned()]));
    }

    #[test]
    fn a_locale_has_a_shape() {
        assert!(["de", "de-AT", "zh-Hant-TW", "es-419"].into_iter().all(is_locale));
        assert!(
            ["", "d", "DE", "de_AT", "de-", "de-A/T", "deutsch", "a-b-c-d-e"]
                .into_iter()
                .all(|text| !is_locale(text))
        );
    }
}
