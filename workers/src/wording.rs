//! What is said to whom: the template that stands for a language, and what it makes of the variables.

use jobs::{Category, Channel, ContactPointId, Failure, Outcome};
use notify::{Content, Rendered, Source, contents, default_source, fallbacks, sign, unsubscribe_label};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use store::{notification_templates as templates, parties::ContactPoint};

use crate::cx::Cx;

/// A template in the language that was found for somebody.
pub(crate) struct Wording {
    pub(crate) name: String,
    /// 0 for the product's own.
    pub(crate) version: i32,
    pub(crate) locale: String,
    source: Source,
}

/// The template called `name` in `locale`, or in what that is a kind of: the tenant's before the product's.
pub(crate) async fn wording(cx: &Cx<'_>, name: &str, locale: &str) -> Outcome<Wording> {
    let locales = fallbacks(locale);
    let theirs = templates::latest(&cx.deps.db, cx.tenant(), name, &locales).await?;
    for locale in &locales {
        if let Some(theirs) = theirs.as_ref().filter(|theirs| theirs.locale == *locale) {
            let source = serde_json::from_value(theirs.source.0.clone())?;
            return Ok(Wording {
                name: name.to_owned(),
                version: theirs.version,
                locale: locale.clone(),
                source,
            });
        }
        if let Some(source) = default_source(name, locale) {
            return Ok(Wording {
                name: name.to_owned(),
                version: 0,
                locale: locale.clone(),
                source: source.clone(),
            });
        }
    }
    let message = format!("there is no template called {name} in {}", locales.join(", "));
    Err(Failure::discard("no_template", message))
}

impl Wording {
    /// The product's own template of this name, in place of one of the tenant's.
    pub(crate) fn of_product(name: &str, locale: &str) -> Option<Self> {
        fallbacks(locale).into_iter().find_map(|locale| {
            let source = default_source(name, &locale)?.clone();
            Some(Self { name: name.to_owned(), version: 0, locale, source })
        })
    }

    /// Name, version and language, as they stand in rows.
    pub(crate) fn named(&self) -> (String, i32, String) {
        (self.name.clone(), self.version, self.locale.clone())
    }

    /// What `channel` is handed.
    pub(crate) fn content(
        &self,
        cx: &Cx<'_>,
        variables: &Map<String, Value>,
        channel: Channel,
        contact: &ContactPoint,
        category: Category,
    ) -> Outcome<Content> {
        let url = unsubscribe_url(cx, contact, channel, category);
        let link = url.as_deref().map(|url| (unsubscribe_label(&self.locale), url));
        let rendered = self.render(variables, link)?;
        contents(&rendered, channel, link)
            .map_err(|error| Failure::discard("template_failed", error.to_string()))
    }

    /// Fills it in, without anything of a channel.
    pub(crate) fn render(
        &self,
        variables: &Map<String, Value>,
        link: Option<(&str, &str)>,
    ) -> Outcome<Rendered> {
        self.source.render(variables, link).map_err(|error| {
            let code = match error {
                notify::TemplateError::Missing(_) => "missing_variables",
                _ => "template_failed",
            };
            Failure::discard(code, format!("{} in {}: {error}", self.name, self.locale))
        })
    }
}

/// Where a mail leads that ends mails of its sort; none for what is critical, which nobody can end.
fn unsubscribe_url(
    cx: &Cx<'_>,
    contact: &ContactPoint,
    channel: Channel,
    category: Category,
) -> Option<String> {
    if channel != Channel::Email || category == Category::Critical {
        return None;
    }
    let public_url = cx.deps.senders.public_url.as_ref()?;
    let id: ContactPointId = contact.id();
    Some(format!("{public_url}/u/{}", sign(&contact.link_secret, id, category)))
}

/// SHA-256 of a template and what it is filled with.
pub(crate) fn content_sha256(template: &str, variables: &Map<String, Value>) -> String {
    // Members of a map are in order, so what is equal is written equally.
    hex::encode(Sha256::digest(format!("{template}\0{}", Value::Object(variables.clone()))))
}

/// Equal for the same content to the same address about the same.
pub(crate) fn dedupe_key(
    contact: Option<ContactPointId>,
    reference: Option<&str>,
    content_sha256: &str,
) -> String {
    let contact = contact.map(|contact| contact.to_string()).unwrap_or_default();
    hex::encode(Sha256::digest(format!("{contact}\0{}\0{content_sha256}", reference.unwrap_or_default())))
}
