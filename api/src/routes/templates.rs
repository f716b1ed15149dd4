//! Templates of messages: the tenant's own, and the product's where there is none.

use ::jobs::{Channel, kinds::notify_plan::NAME_BYTES_MAX};
use axum::{
    Json as Answer,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use notify::{Content, Source, TemplateError, contents, default_sources, unsubscribe_label};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::notification_templates::{self, Template};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::Json,
    limits::TEMPLATES_MAX,
    problem::{Code, FieldError, Problem, ProblemDocument},
};

/// Where the link to unsubscribe leads in a preview.
const PREVIEW_LINK: &str = "https://example.com/unsubscribe";

/// A template as it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotificationTemplate)]
pub(crate) struct TemplateResource {
    /// What it is called.
    name: String,
    /// In which language.
    locale: String,
    /// From 1; 0 for the product's own.
    version: i32,
    /// The template: `subject`, `lines`, `button`, `short`, `mjml`.
    #[schema(value_type = Object)]
    source: Value,
    /// What it has to be given.
    variables: Vec<String>,
    /// When this version was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<DateTime<Utc>>,
}

impl TemplateResource {
    fn of(row: Template) -> Result<Self, Problem> {
        let source: Source = serde_json::from_value(row.source.0.clone()).map_err(Problem::internal)?;
        Ok(Self {
            name: row.name,
            locale: row.locale,
            version: row.version,
            source: row.source.0,
            variables: variables(&source)?,
            created_at: Some(row.created_at),
        })
    }
}

fn variables(source: &Source) -> Result<Vec<String>, Problem> {
    Ok(source.wants().map_err(|error| refused(&error, ""))?.into_iter().collect())
}

/// What is wrong with a template that stands at `at`.
fn refused(error: &TemplateError, at: &str) -> Problem {
    let pointer = match error {
        TemplateError::Unreadable { piece, .. }
        | TemplateError::Failed { piece, .. }
        | TemplateError::TooLong { piece, .. } => format!("{at}{piece}"),
        TemplateError::Missing(_) => "/variables".to_owned(),
    };
    Problem::invalid(vec![FieldError::new(pointer, error.to_string())])
}

/// Write a template.
///
/// As its next version, in place of the product's. It is read through first: what cannot be filled in is refused.
#[utoipa::path(
    put, path = "/v1/templates/{name}/{locale}", tag = "Messages", operation_id = "put_template",
    request_body(content = Value, description = "`subject`, `lines`, and if wanted `button`, `short`, `mjml`", example = json!({
        "subject": "Your photographs are ready", "lines": ["Look at them whenever you like."]
    })),
    params(
        ("name" = String, Path, description = "What it is called"),
        ("locale" = String, Path, description = "In which language, such as `de` or `de-AT`"),
    ),
    responses(
        (status = 200, description = "The version that was written", body = TemplateResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn put_template(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Path((name, locale)): Path<(String, String)>,
    Json(source): Json<Source>,
) -> Result<Answer<TemplateResource>, Problem> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.chars().all(is_name) {
        return Err(Problem::new(Code::InvalidParameter, "a name takes letters, digits, _ - and ."));
    }
    if !notify::is_locale(&locale) {
        return Err(Problem::new(Code::InvalidParameter, "a locale is a language such as de or de-AT"));
    }
    source.wants().map_err(|error| refused(&error, ""))?;
    let written = serde_json::to_value(&source).map_err(Problem::internal)?;
    if written.to_string().contains("\\u0000") {
        return Err(Problem::invalid(vec![FieldError::new("", "takes no U+0000")]));
    }
    let by = caller.key.to_string();
    let row = notification_templates::put(&app.db, caller.tenant, &name, &locale, &written, &by).await?;
    TemplateResource::of(row).map(Answer)
}

/// The templates that stand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TemplateList {
    /// The tenant's in their latest version, and the product's that none of them stands for.
    templates: Vec<TemplateResource>,
}

/// List the templates that stand.
#[utoipa::path(
    get, path = "/v1/templates", tag = "Messages", operation_id = "list_templates",
    responses(
        (status = 200, description = "By name and language", body = TemplateList),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_templates(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<TemplateList>, Problem> {
    let rows = notification_templates::list(&app.db, caller.tenant, None, TEMPLATES_MAX).await?;
    let mut templates: Vec<TemplateResource> =
        rows.into_iter().map(TemplateResource::of).collect::<Result<_, _>>()?;
    for (locale, name, source) in default_sources() {
        if templates.iter().any(|own| own.name == name && own.locale == locale) {
            continue;
        }
        templates.push(TemplateResource {
            name: name.to_owned(),
            locale: locale.to_owned(),
            version: 0,
            source: serde_json::to_value(source).map_err(Problem::internal)?,
            variables: variables(source)?,
            created_at: None,
        });
    }
    templates.sort_by(|one, other| (&one.name, &one.locale).cmp(&(&other.name, &other.locale)));
    Ok(Answer(TemplateList { templates }))
}

/// A template to look at, without writing it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewBody {
    /// The template: `subject`, `lines`, and if wanted `button`, `short`, `mjml`.
    #[schema(value_type = Object)]
    source: Source,
    /// What it is given.
    #[serde(default)]
    #[schema(value_type = Object)]
    variables: Map<String, Value>,
    /// In which language the link to unsubscribe is; `en` unless given.
    #[serde(default)]
    locale: Option<String>,
}

/// What each channel would be handed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    /// By channel; a text message with its segments.
    #[schema(value_type = Vec<Object>)]
    contents: Vec<Content>,
}

/// See what a template makes of variables.
///
/// Nothing is written and nothing is sent. Everything that is missing is told at once.
#[utoipa::path(
    post, path = "/v1/templates/preview", tag = "Messages", operation_id = "preview_template",
    request_body(content = PreviewBody, example = json!({
        "source": {"subject": "Your photographs are ready", "lines": ["Look at them whenever you like."]}
    })),
    responses(
        (status = 200, description = "What each channel would be handed", body = Preview),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn preview_template(
    Reader(_caller): Reader,
    Json(body): Json<PreviewBody>,
) -> Result<Answer<Preview>, Problem> {
    let link = Some((unsubscribe_label(body.locale.as_deref().unwrap_or("en")), PREVIEW_LINK));
    let rendered = body.source.render(&body.variables, link).map_err(|error| refused(&error, "/source"))?;
    let all = [Channel::Email, Channel::Sms, Channel::Chat, Channel::InApp];
    let contents =
        all.into_iter().map(|channel| contents(&rendered, channel, link)).collect::<Result<_, _>>();
    Ok(Answer(Preview { contents: contents.map_err(|error| refused(&error, "/source"))? }))
}
