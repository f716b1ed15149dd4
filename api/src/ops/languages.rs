//! In which language somebody reads the pages: the one that their browser keeps, else the first that it asks for and that is known,
//! else English.
//!
//! Pages are written in English; `tr!` asks the catalogue of the language for each of their texts. One more language is one
//! more catalogue in `api/locales` and one more line of [`Language`].

use std::{borrow::Cow, collections::HashMap, sync::Once};

use axum::{
    Form,
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use cookie::{Cookie, time::Duration as CookieAge};
use rspolib::{POEntry, errors::SyntaxError};
use serde::Deserialize;
use tr::Translator;

use super::{guard::Visit, session, sign_in::inside};
use crate::{
    AppState,
    limits::BROWSER_KNOWN_DAYS_MAX,
    problem::{FieldError, Problem},
};

const NAME: &str = "crewline_language";
const GERMAN: &str = include_str!("../../locales/de.po");

tokio::task_local! {
    static LANGUAGE: Language;
}

/// A language that pages can be read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its tag (BCP 47).
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// What those call it who speak it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// What stands between thousands.
    pub(super) const fn between_thousands(self) -> char {
        match self {
            Self::English => ',',
            Self::German => '.',
        }
    }

    /// What stands before a fraction.
    pub(super) const fn before_fractions(self) -> &'static str {
        match self {
            Self::English => ".",
            Self::German => ",",
        }
    }

    /// Which form of a text goes with a number.
    fn form(self, n: u64) -> usize {
        match self {
            Self::English | Self::German => usize::from(n != 1),
        }
    }

    /// The one that `tag` names, whatever country it names too.
    fn of(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|one| primary.eq_ignore_ascii_case(one.tag()))
    }
}

/// What whoever looks reads.
pub(super) fn language() -> Language {
    LANGUAGE.try_with(|language| *language).unwrap_or(Language::English)
}

/// Makes a page for somebody who reads `language`.
pub(super) async fn speaking<F: Future>(language: Language, page: F) -> F::Output {
    LANGUAGE.scope(language, page).await
}

/// Answers in the language that the request is in.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    speaking(wanted(request.headers()), next.run(request)).await
}

fn wanted(headers: &HeaderMap) -> Language {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let kept = all.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == NAME);
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    kept.and_then(|cookie| Language::of(cookie.value()))
        .or_else(|| most_wanted(asked?))
        .unwrap_or(Language::English)
}

/// Of the languages that an `Accept-Language` asks for (RFC 9110, 12.5.4), the one that is known and weighs most; the first of
/// those that weigh the same.
fn most_wanted(header: &str) -> Option<Language> {
    let known = header.split(',').filter_map(|range| {
        let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
        let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok()?;
        Some((Language::of(tag.trim())?, weight)).filter(|(_, weight)| 0.0 < *weight && *weight <= 1.0)
    });
    let most = known.reduce(|most, one| if one.1 > most.1 { one } else { most });
    most.map(|(language, _)| language)
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct LanguageForm {
    language: String,
    #[serde(default)]
    next: String,
}

/// Keeps one.
pub(super) async fn set(
    State(app): State<AppState>,
    _: Visit,
    Form(form): Form<LanguageForm>,
) -> Result<Response, Problem> {
    let known = Language::of(&form.language);
    let language =
        known.ok_or_else(|| Problem::invalid(vec![FieldError::new("/language", "one of the list")]))?;
    let age = CookieAge::days(BROWSER_KNOWN_DAYS_MAX);
    let cookie = session::cookie((NAME, language.tag()), super::ROOT, &app.settings.public_url, age);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(inside(&form.next))).into_response())
}

/// What the texts of pages are in one language: of each its forms, by its context and by what it is in English.
#[derive(Debug)]
struct Catalogue(HashMap<(Option<String>, String), Vec<String>>);

impl Catalogue {
    fn read(catalogue: &str) -> Result<Self, SyntaxError> {
        let forms = |entry: POEntry| {
            let forms = if entry.msgid_plural.is_some() {
                entry.msgstr_plural
            } else {
                entry.msgstr.into_iter().collect()
            };
            ((entry.msgctxt, entry.msgid), forms)
        };
        Ok(Self(rspolib::pofile(catalogue)?.entries.into_iter().map(forms).collect()))
    }

    fn look(&self, context: Option<&str>, text: &str, form: usize) -> Option<&str> {
        let forms = self.0.get(&(context.map(str::to_owned), text.to_owned()))?;
        forms.get(form).map(String::as_str)
    }
}

/// Asks the catalogue of whoever looks.
struct Catalogues {
    german: Catalogue,
}

impl Translator for Catalogues {
    fn translate<'a>(&'a self, text: &'a str, context: Option<&'a str>) -> Cow<'a, str> {
        let known = match language() {
            Language::English => None,
            Language::German => self.german.look(context, text, 0),
        };
        Cow::Borrowed(known.unwrap_or(text))
    }

    fn ntranslate<'a>(
        &'a self,
        n: u64,
        one: &'a str,
        more: &'a str,
        context: Option<&'a str>,
    ) -> Cow<'a, str> {
        let form = language().form(n);
        let known = match language() {
            Language::English => None,
            Language::German => self.german.look(context, one, form),
        };
        Cow::Borrowed(known.unwrap_or(if form == 0 { one } else { more }))
    }
}

/// Has `tr!` ask the catalogues.
pub(super) fn learn() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| match Catalogue::read(GERMAN) {
        Ok(german) => tr::set_translator!(Catalogues { german }),
        Err(error) => tracing::error!(%error, "A catalogue cannot be read; pages are in English"),
    });
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

    use tr::tr;

    use super::{Catalogue, GERMAN, Language, language, learn, speaking, wanted};

    fn asked(headers: &[(HeaderName, &'static str)]) -> Language {
        wanted(
            &headers
                .iter()
                .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
                .collect::<HeaderMap>(),
        )
    }

    #[test]
    fn a_browser_says_what_is_read() {
        let tests = [
            ("de-AT, en;q=0.8", Language::German),
            ("en-US, de;q=0.8", Language::English),
            ("fr, de;q=0.3", Language::German),
            ("fr", Language::English),
            ("en;q=0.2, de; q=0.9", Language::German),
            ("de;q=0, en;q=0.1", Language::English),
            (";;q=x,,de;q=nan,de;q=7", Language::English),
        ];
        for (header, language) in tests {
            assert_eq!(asked(&[(header::ACCEPT_LANGUAGE, header)]), language, "{header}");
        }
        let kept = [(header::COOKIE, "a=b; crewline_language=en"), (header::ACCEPT_LANGUAGE, "de")];
        assert_eq!(asked(&kept), Language::English);
        let unknown = [(header::COOKIE, "crewline_language=xx"), (header::ACCEPT_LANGUAGE, "de")];
        assert_eq!(asked(&unknown), Language::German);
    }

    #[tokio::test]
    async fn a_page_is_made_in_one_language() {
        assert!(Catalogue::read(GERMAN).unwrap().0.len() > 300);
        learn();
        let says = async {
            (
                language(),
                tr!("Queues"),
                tr!("{count} attempt of {all}" | "{count} attempts of {all}" % 2, count = 2, all = 9),
            )
        };
        let (known, queues, attempts) = speaking(Language::German, says).await;
        assert_eq!(
            (known, queues.as_str(), attempts.as_str()),
            (Language::German, "Warteschlangen", "2 Versuche von 9")
        );
        assert_eq!((language(), tr!("Queues").as_str()), (Language::English, "Queues"));
    }
}
