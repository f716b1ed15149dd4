//! The templates that every tenant has without writing any, in English and German.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::templates::Source;

/// What the templates of the product are called.
pub const NAMES: [&str; 14] = [
    "magic_link",
    "order_booked",
    "offer",
    "on_site",
    "reminder",
    "delivered",
    "estimate",
    "invoice_due",
    "receipt",
    "digest",
    "alert_firing",
    "alert_resolved",
    "invitation",
    "invitation_cancelled",
];

/// By locale and name.
type Sources = BTreeMap<&'static str, BTreeMap<String, Source>>;

static SOURCES: LazyLock<Sources> = LazyLock::new(|| {
    let files = [("de", include_str!("../defaults/de.json")), ("en", include_str!("../defaults/en.json"))];
    let read = |(locale, text)| (locale, serde_json::from_str(text).unwrap_or_default());
    files.map(read).into_iter().collect()
});

/// The product's template of this name in exactly this locale.
pub fn default_source(name: &str, locale: &str) -> Option<&'static Source> {
    SOURCES.get(locale)?.get(name)
}

/// Every template of the product: locale, name, source.
pub fn default_sources() -> impl Iterator<Item = (&'static str, &'static str, &'static Source)> {
    SOURCES.iter().flat_map(|(locale, all)| all.iter().map(|(name, source)| (*locale, name.as_str(), source)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn variables() -> Map<String, Value> {
        let all = json!({
            "name": "Ada & <Söhne>", "address": "12 Elm Street", "when": "Monday, 09:00", "starts": "Monday, 09:00",
            "until": "10:00", "who": "Grace", "link": "https://example.com/a?b=1&c=2", "minutes": 15, "number": "R-17",
            "amount": "120,00 €", "due": "1 May", "count": 2, "rule": "films-late", "what": "queue_age of media: 312 s (300 and more is told)",
            "items": [{"title": "One", "url": null}, {"title": "Two", "url": "https://example.com/2"}],
        });
        all.as_object().unwrap().clone()
    }

    #[test]
    fn each_is_there_in_each_language_and_wants_the_same() {
        for locale in ["en", "de"] {
            for name in NAMES {
                let source = default_source(name, locale).unwrap_or_else(|| panic!("{name} in {locale}"));
                assert_eq!(source.wants(), default_source(name, "en").unwrap().wants(), "{name} in {locale}");
            }
        }
        assert_eq!(default_sources().count(), 2 * NAMES.len());
    }

    #[test]
    fn each_can_be_filled_in_and_escapes_for_where_it_stands() {
        for (locale, name, source) in default_sources() {
            let rendered =
                source.render(&variables(), Some(("Unsubscribe", "https://example.com/u/x"))).unwrap();
            assert!(!rendered.html.contains("<Söhne>") && !rendered.html.contains("{{"), "{name} {locale}");
            assert!(!rendered.text(None).contains("&lt;"), "{name} {locale}");
            assert!(rendered.html.contains("https://example.com/u/x"), "{name} {locale}: {}", rendered.html);
            if rendered.lines.iter().any(|line| line.contains("Ada")) {
                assert!(
                    rendered.html.contains("Ada &amp; &lt;Söhne&gt;"),
                    "{name} {locale}: {}",
                    rendered.html
                );
            }
            assert!(crate::segments(&rendered.short).count <= 2, "{name} {locale}: {}", rendered.short);
        }
    }
}
