//! Where parties are reached, and what was said about that.

use ::jobs::{Category, Channel, ContactPointId, PartyId};
use axum::{
    Json as Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use notify::{Subscription, Suppression};
use serde::{Deserialize, Serialize};
use store::parties::{self, Added, ContactPoint, NewContactPoint, Said, Word};
use utoipa::ToSchema;

use super::{
    jobs::{link_next, page_size, read_cursor, write_cursor},
    parties::{no_party, secret},
    schedules::PageParams,
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, Params},
    limits::{CONTACT_ADDRESS_CHARS_MAX, EMAIL_CHARS_MAX, PAGE_DEFAULT, PAGE_MAX},
    problem::{Code, FieldError, Problem, ProblemDocument},
};

/// Digits of a telephone number, by ITU-T E.164.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// An address of a party.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewContactPoint)]
pub(crate) struct ContactPointBody {
    /// `email`, `sms`, `push` or `chat`; the inbox is there already.
    #[schema(value_type = String, example = "email")]
    channel: Channel,
    /// An address, a number as `+4366012345`, `JSON.stringify` of a browser's push subscription, or the address of a chat's
    /// incoming webhook.
    #[schema(example = "ada@example.com", max_length = 1000)]
    address: String,
    /// Whether it is known to be theirs; only critical messages go to one that is not.
    #[serde(default)]
    verified: bool,
}

/// An address as it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContactPoint)]
pub(crate) struct ContactPointResource {
    /// Which it is.
    #[schema(value_type = String, example = "cpt_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: ContactPointId,
    /// By which channel.
    #[schema(value_type = String)]
    channel: Channel,
    /// The address; of a chat's webhook and a browser only the origin, for the rest of it is a secret.
    address: String,
    /// When it was found to be theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<DateTime<Utc>>,
    /// Why nothing goes there: `hard_bounce`, `complaint` or `stop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<&'static str>,
    /// When it was noted.
    created_at: DateTime<Utc>,
}

impl ContactPointResource {
    pub(super) fn of(row: &ContactPoint) -> Result<Self, Problem> {
        let channel = row.channel()?;
        let origin = |url: &str| url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        Ok(Self {
            id: row.id(),
            channel,
            address: match channel {
                Channel::Chat => origin(&row.address),
                Channel::Push => Subscription::parse(&row.address)
                    .map_or_else(|_| String::new(), |known| origin(&known.endpoint)),
                _ => row.address.clone(),
            },
            verified_at: row.verified_at,
            suppressed: row.suppression.as_deref().and_then(Suppression::named).map(Suppression::name),
            created_at: row.created_at,
        })
    }
}

impl ContactPointBody {
    /// The address as it is kept.
    fn check(&self, loopback: bool) -> Result<String, Problem> {
        let address = self.address.trim();
        let wrong = |pointer: &str, wants: String| Problem::invalid(vec![FieldError::new(pointer, wants)]);
        let (fits, wants) = match self.channel {
            Channel::Email => (is_email(address), "takes an address such as ada@example.com"),
            Channel::Sms => (is_phone(address), "takes a number with its country, such as +4366012345"),
            Channel::Chat => (
                ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme)),
                "takes the https address of an incoming webhook",
            ),
            Channel::Push => {
                return subscription(address, loopback).map_err(|wants| wrong("/address", wants));
            }
            Channel::InApp => {
                return Err(wrong(
                    "/channel",
                    "every party has one inbox, which is there already".to_owned(),
                ));
            }
        };
        let plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
        if plain && fits && address.chars().count() <= CONTACT_ADDRESS_CHARS_MAX {
            return Ok(address.to_owned());
        }
        Err(wrong("/address", wants.to_owned()))
    }
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A browser's subscription, in few words.
fn subscription(text: &str, loopback: bool) -> Result<String, String> {
    let known = Subscription::parse(text)?;
    outbound::check(&known.endpoint, loopback).map_err(|bad| format!("its endpoint: {bad}"))?;
    let line = serde_json::to_string(&known).map_err(|error| error.to_string())?;
    let fits = line.chars().count() <= CONTACT_ADDRESS_CHARS_MAX;
    fits.then_some(line).ok_or_else(|| format!("takes at most {CONTACT_ADDRESS_CHARS_MAX} characters"))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_sane = |c: char| !"<>()[],;:\\\"@".contains(c);
    // Few servers take anything but ASCII before the @; a domain has a form in ASCII.
    local.is_ascii()
        && !local.is_empty()
        && domain.split('.').all(|label| !label.is_empty())
        && text.chars().count() <= EMAIL_CHARS_MAX
        && local.chars().all(is_sane)
        && domain.chars().all(is_sane)
}

/// Note where a party is reached.
#[utoipa::path(
    post, path = "/v1/parties/{id}/contact-points", tag = "Messages", operation_id = "add_contact_point",
    request_body = ContactPointBody, params(("id" = String, Path, description = "The party")),
    responses(
        (status = 201, description = "It is noted", body = ContactPointResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn add_contact_point(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(party): Id<PartyId>,
    Json(body): Json<ContactPointBody>,
) -> Result<Response, Problem> {
    let new = NewContactPoint {
        id: ContactPointId::new(),
        party,
        channel: body.channel,
        address: body.check(app.settings.webhooks_loopback)?,
        is_verified: body.verified,
        link_secret: secret()?,
    };
    match parties::add(&app.db, caller.tenant, &new).await? {
        Added::New => {}
        Added::NoParty => return Err(no_party()),
        Added::Taken => return Err(Problem::new(Code::NameTaken, "the party has this address already")),
    }
    let row = parties::contact(&app.db, caller.tenant, new.id, Category::Operational).await?;
    let resource = ContactPointResource::of(&row.ok_or_else(no_contact_point)?)?;
    Ok((StatusCode::CREATED, Body(resource)).into_response())
}

/// Forget where a party is reached.
#[utoipa::path(
    delete, path = "/v1/contact-points/{id}", tag = "Messages", operation_id = "remove_contact_point",
    params(("id" = String, Path, description = "The contact point")),
    responses(
        (status = 204, description = "It is forgotten"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_contact_point(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<ContactPointId>,
) -> Result<StatusCode, Problem> {
    let removed = parties::remove_contact(&app.db, caller.tenant, id).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(no_contact_point()) }
}

/// What was said about an address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentBody {
    /// `granted` or `withdrawn`, of a category; or, of everything, `hard_bounce`, `complaint`, `stop` or `released`.
    #[schema(example = "granted")]
    word: String,
    /// Messages of what sort; needed for `granted` and `withdrawn`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "bulk")]
    category: Option<Category>,
}

impl ConsentBody {
    fn check(&self) -> Result<Word, Problem> {
        match (self.word.as_str(), self.category) {
            ("granted", Some(category)) => Ok(Word::Granted(category)),
            ("withdrawn", Some(category)) => Ok(Word::Withdrawn(category)),
            ("released", None) => Ok(Word::Released),
            (word, None) if Suppression::named(word).is_some() => {
                Ok(Word::Suppressed(Suppression::named(word).map_or("stop", Suppression::name)))
            }
            ("granted" | "withdrawn", None) => {
                Err(Problem::invalid(vec![FieldError::new("/category", "says messages of what sort")]))
            }
            _ => {
                let detail = "takes granted or withdrawn with a category, else hard_bounce, complaint, stop or released";
                Err(Problem::invalid(vec![FieldError::new("/word", detail)]))
            }
        }
    }
}

/// Note what was said about an address.
///
/// Nothing is written over: the last word counts, and the others stay as the record of consent.
#[utoipa::path(
    post, path = "/v1/contact-points/{id}/consent", tag = "Messages", operation_id = "say_consent",
    request_body = ConsentBody, params(("id" = String, Path, description = "The contact point")),
    responses(
        (status = 204, description = "It is noted"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn say_consent(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<ContactPointId>,
    Json(body): Json<ConsentBody>,
) -> Result<StatusCode, Problem> {
    let said = parties::say(&app.db, caller.tenant, id, body.check()?, &caller.key.to_string()).await?;
    if said { Ok(StatusCode::NO_CONTENT) } else { Err(no_contact_point()) }
}

/// Something that was said about an address.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Consent {
    /// About messages of what sort; none for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    /// `granted`, `withdrawn`, `hard_bounce`, `complaint`, `stop` or `released`.
    word: String,
    /// Who said so: a key, a link, a provider.
    source: String,
    /// When.
    said_at: DateTime<Utc>,
}

/// A page of what was said about an address, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsentPage {
    /// What was said.
    consents: Vec<Consent>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// Look at what was said about an address, the latest first.
#[utoipa::path(
    get, path = "/v1/contact-points/{id}/consent", tag = "Messages", operation_id = "list_consent",
    params(("id" = String, Path, description = "The contact point"), PageParams),
    responses(
        (status = 200, description = "A page", body = ConsentPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_consent(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<ContactPointId>,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor::<i64>).transpose()?;
    let contact = parties::contact(&app.db, caller.tenant, id, Category::Operational).await?;
    contact.ok_or_else(no_contact_point)?;
    let mut found = parties::said(&app.db, caller.tenant, id, before, i64::from(limit) + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.number));
    let path = format!("/v1/contact-points/{id}/consent");
    let link = next.as_ref().and_then(|next| link_next(&path, limit, next));
    let consent = |Said { category, word, source, said_at, .. }| Consent { category, word, source, said_at };
    let consents = found.into_iter().map(consent).collect();
    let mut response = Body(ConsentPage { consents, next }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

fn no_contact_point() -> Problem {
    Problem::not_found("contact point")
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn an_address_is_one_address() {
        assert!(["a@b.c", "ada+tag@bücher.example", "o'neil@x.y"].into_iter().all(is_email));
        for wrong in ["", "a", "@b", "a@", "a@b..c", "a@b,c@d", "<a@b.c>", "a@b@c", "Ada: a@b.c", "ä@b.c"] {
            assert!(!is_email(wrong), "{wrong}");
        }
    }
}
