//! On which terms originals are kept, and how they go.

use ::jobs::AssetId;
use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer};
use store::assets::{self, Deleted, Terms};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Writer,
    extract::{Id, Json as JsonBody},
    limits::{KEEP_DAYS_MAX, LICENSE_CHARS_MAX},
    problem::{Code, FieldError, Problem, ProblemDocument},
    routes::assets::{self as shown, AssetResource},
};

/// What to change. What is left out stays; null takes it away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AssetTerms)]
pub(crate) struct TermsBody {
    /// What may be done with it: a name, an address, up to 500 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500, example = "one listing, until it is sold")]
    license: Change<String>,
    /// Nobody may delete it before. To make this earlier takes the scope `admin`.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    retain_until: Change<DateTime<Utc>>,
    /// It is deleted by itself so many days after it was verified, if it need not be retained longer.
    #[serde(default)]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 3_650)]
    delete_after_days: Change<u16>,
}

/// What a patch says of one thing.
#[derive(Debug, Default)]
enum Change<T> {
    /// Nothing.
    #[default]
    None,
    /// What it is from now on, or that it is not any more.
    To(Option<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::deserialize(from).map(Self::To)
    }
}

impl<T> Change<T> {
    fn wanted(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::To(wanted) => wanted.as_ref(),
        }
    }

    fn over(self, stands: Option<T>) -> Option<T> {
        match self {
            Self::None => stands,
            Self::To(wanted) => wanted,
        }
    }
}

impl TermsBody {
    fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        let is_text = |text: &String| {
            (1..=LICENSE_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        if !self.license.wanted().is_none_or(is_text) {
            errors.push(FieldError::new("/license", format!("1 to {LICENSE_CHARS_MAX} characters")));
        }
        let latest = Utc::now() + TimeDelta::days(i64::from(KEEP_DAYS_MAX));
        if self.retain_until.wanted().is_some_and(|until| *until > latest) {
            errors.push(FieldError::new("/retain_until", format!("at most {KEEP_DAYS_MAX} days ahead")));
        }
        if !self.delete_after_days.wanted().is_none_or(|days| (1..=KEEP_DAYS_MAX).contains(days)) {
            errors.push(FieldError::new("/delete_after_days", format!("1 to {KEEP_DAYS_MAX}")));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn over(self, stands: Terms, created_at: DateTime<Utc>) -> Terms {
        let delete_at = match self.delete_after_days {
            Change::None => stands.delete_at,
            Change::To(days) => days.map(|days| created_at + TimeDelta::days(i64::from(days))),
        };
        Terms {
            license: self.license.over(stands.license),
            retain_until: self.retain_until.over(stands.retain_until),
            delete_at,
        }
    }
}

/// Change the terms of an asset.
///
/// The body is a JSON merge patch (RFC 7396). What is due is deleted within a minute or two, as `DELETE` would.
#[utoipa::path(
    patch, path = "/v1/assets/{id}", tag = "Files", operation_id = "change_asset", request_body = TermsBody,
    params(("id" = String, Path, description = "The asset")),
    responses(
        (status = 200, description = "The asset as it is now", body = AssetResource),
        (status = "default", description = "A problem; 409 when it would be retained for less long, and the key may not say so", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn change_asset(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<AssetId>,
    JsonBody(body): JsonBody<TermsBody>,
) -> Result<Json<AssetResource>, Problem> {
    body.check().map_err(Problem::invalid)?;
    let stands = shown::find(&app, caller.tenant, id).await?;
    let until = stands.terms.retain_until;
    let terms = body.over(stands.terms, stands.created_at);
    if !assets::set_terms(&app.db, caller.tenant, id, &terms, caller.is_admin()).await? {
        shown::find(&app, caller.tenant, id).await?;
        return Err(retained(until.unwrap_or_default()));
    }
    Ok(Json(shown::show(&app, &caller, id).await?))
}

fn retained(until: DateTime<Utc>) -> Problem {
    Problem::new(Code::AssetRetained, format!("it is retained until {}", until.to_rfc3339()))
}

/// Delete an asset.
///
/// With everything that was made from it. It is gone at once, and its objects are removed from S3 about an hour later:
/// addresses that were given out work until they expire. Jobs that run on it end as if it were there, and leave nothing
/// behind; those that begin later are discarded. An asset that the virus scanner holds is for `admin` to delete.
#[utoipa::path(
    delete, path = "/v1/assets/{id}", tag = "Files", operation_id = "delete_asset",
    params(("id" = String, Path, description = "The asset")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem; 409 while it is retained, or held", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn delete_asset(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<AssetId>,
) -> Result<StatusCode, Problem> {
    match assets::delete(&app.db, caller.tenant, id, caller.is_admin()).await? {
        Deleted::Done => {
            tracing::info!(asset.id = %id, "{id} was deleted");
            Ok(StatusCode::NO_CONTENT)
        }
        Deleted::NotFound => Err(Problem::not_found("asset")),
        Deleted::Held(state) => Err(shown::held(state)),
        Deleted::Retained(until) => Err(retained(until)),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use store::assets::Terms;

    use super::TermsBody;

    #[test]
    fn null_takes_away_and_silence_keeps() {
        let stands = Terms { license: Some("one listing".into()), ..Terms::default() };
        let over = |patch| {
            let body: TermsBody = serde_json::from_value(patch).unwrap();
            body.over(stands.clone(), DateTime::UNIX_EPOCH)
        };
        assert_eq!(over(json!({})), stands);
        assert_eq!(over(json!({"license": null})), Terms::default());
        let dated = over(json!({"delete_after_days": 2}));
        assert_eq!(dated.delete_at.unwrap().timestamp(), 2 * 86_400);
        assert!(serde_json::from_value::<TermsBody>(json!({"delete_at": "2030-01-01T00:00:00Z"})).is_err());
    }
}
