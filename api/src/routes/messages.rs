//! Messages: what was decided about each, what was done, and what a person found out.

use ::jobs::{Category, Channel, JobId, MessageId, PartyId};
use axum::{
    Json as Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::messages::{self, Effect, Filter, Message, Resolution, Resolved};
use utoipa::{IntoParams, ToSchema};

use super::jobs::{link_filtered, page_size, read_cursor, write_cursor};
use crate::{
    AppState,
    auth::{Caller, Reader, Writer},
    extract::{Id, Json, Params},
    limits::{PAGE_DEFAULT, PAGE_MAX},
    problem::{Code, Problem, ProblemDocument},
    seeing::Shown,
};

/// The states a message may be in.
pub(crate) const STATES: [&str; 12] = [
    "planned",
    "gathered",
    "sending",
    "sent",
    "unknown",
    "failed",
    "dropped",
    "skipped",
    "delivered",
    "read",
    "bounced",
    "complained",
];

/// A message as it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageResource {
    /// Which it is.
    #[schema(value_type = String, example = "msg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: MessageId,
    /// To whom.
    #[schema(value_type = String)]
    party: PartyId,
    /// By which channel.
    #[schema(value_type = String)]
    channel: Channel,
    /// What sort of thing.
    #[schema(value_type = String)]
    category: Category,
    /// `planned`, `gathered`, `sending`, `sent`, `unknown`, `failed`, `dropped`, `skipped`; or, told afterwards, `delivered`,
    /// `read`, `bounced` or `complained`.
    state: String,
    /// By which template.
    template: String,
    /// In which language.
    locale: String,
    /// The job that decided about it.
    #[schema(value_type = String)]
    request: JobId,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// Not before.
    scheduled_at: DateTime<Utc>,
    /// Why it was dropped, or failed, or came back, or nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// When it was decided about.
    created_at: DateTime<Utc>,
    /// When it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<DateTime<Utc>>,
    /// When it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<DateTime<Utc>>,
    /// What it cost, once its carrier has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<CostResource>,
}

/// What a message cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageCost)]
pub(crate) struct CostResource {
    /// A decimal number.
    #[schema(example = "0.00750")]
    amount: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
}

impl MessageResource {
    pub(super) fn of(message: &Message) -> Result<Self, Problem> {
        Ok(Self {
            id: message.id(),
            party: message.party(),
            channel: message.channel()?,
            category: message.category()?,
            state: message.state.clone(),
            template: message.template.clone(),
            locale: message.locale.clone(),
            request: message.request(),
            subject: message.subject_reference.clone(),
            scheduled_at: message.scheduled_at,
            detail: message.detail.clone(),
            created_at: message.created_at,
            sent_at: message.sent_at,
            read_at: message.read_at,
            cost: message.cost().map(|(amount, currency)| CostResource {
                amount: amount.to_owned(),
                currency: currency.to_owned(),
            }),
        })
    }
}

/// A message with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageDetail {
    #[serde(flatten)]
    message: MessageResource,
    /// What the rules said, in their order: `rule` and `said`.
    #[schema(value_type = Vec<Object>)]
    decisions: Value,
    /// What the channel is handed; none when nothing is sent, and for keys without the scope `private:read`. Left out for keys without
    /// the scope `payloads:read`.
    #[schema(value_type = Option<Object>)]
    content: Option<Value>,
    /// What the provider calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
    /// Each try.
    tries: Vec<TryResource>,
}

/// A try to hand a message over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageTry)]
pub(crate) struct TryResource {
    /// From 1.
    number: i16,
    /// `begun`, `done`, `failed` or `unknown`.
    state: String,
    /// Who was asked.
    provider: String,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// When it was written down, before they were asked.
    begun_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// The key, or the webhook source, that said what had become of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_by: Option<String>,
}

impl TryResource {
    fn of(effect: Effect) -> Self {
        Self {
            number: effect.number,
            state: effect.state,
            provider: effect.provider,
            detail: effect.detail,
            begun_at: effect.begun_at,
            ended_at: effect.ended_at,
            resolved_by: effect.resolved_by,
        }
    }
}

/// Which messages, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessageParams {
    /// In this state. `unknown` are those of which nobody knows whether they arrived.
    state: Option<String>,
    /// To this party.
    #[param(value_type = Option<String>)]
    party: Option<PartyId>,
    /// By this channel.
    #[param(value_type = Option<String>)]
    channel: Option<Channel>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of messages, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessagePage {
    /// The messages, without what they say.
    messages: Vec<MessageResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List messages, newest first.
#[utoipa::path(
    get, path = "/v1/messages", tag = "Messages", operation_id = "list_messages", params(MessageParams),
    responses(
        (status = 200, description = "A page", body = MessagePage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_messages(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<MessageParams>,
) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    if params.state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Problem::new(
            Code::InvalidParameter,
            format!("state takes one of {}", STATES.join(", ")),
        ));
    }
    let before = params.cursor.as_deref().map(read_cursor::<MessageId>).transpose()?;
    let filter = Filter {
        state: params.state.clone(),
        party: params.party,
        channel: params.channel.map(|channel| channel.name().to_owned()),
        before: before.map(|id| id.as_uuid()),
    };
    let mut found = messages::list(&app.db, caller.tenant, &filter, i64::from(limit) + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    let link = next.as_ref().map(|next| {
        let filters = [
            ("state", params.state),
            ("party", params.party.map(|party| party.to_string())),
            ("channel", params.channel.map(|channel| channel.name().to_owned())),
            ("cursor", Some(next.clone())),
        ];
        link_filtered("/v1/messages", limit, &filters)
    });
    let messages = found.iter().map(MessageResource::of).collect::<Result<_, _>>()?;
    let mut response = Body(MessagePage { messages, next }).into_response();
    let link = link.and_then(|link| HeaderValue::try_from(link).ok());
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// Look at a message: why it was decided so, and each try to hand it over.
#[utoipa::path(
    get, path = "/v1/messages/{id}", tag = "Messages", operation_id = "get_message",
    params(("id" = String, Path, description = "The message")),
    responses(
        (status = 200, description = "The message with everything that is known of it", body = MessageDetail),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_message(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<MessageId>,
) -> Result<Shown<MessageDetail>, Problem> {
    detail(&app, &caller, id).await
}

async fn detail(app: &AppState, caller: &Caller, id: MessageId) -> Result<Shown<MessageDetail>, Problem> {
    let tenant = caller.tenant;
    let message = messages::message(&app.db, tenant, id).await?.ok_or_else(no_message)?;
    let tries = messages::effects(&app.db, tenant, id).await?;
    let detail = MessageDetail {
        decisions: message.decisions.0.clone(),
        content: message.content.as_ref().filter(|_| caller.sight().private).map(|content| content.0.clone()),
        provider_id: message.provider_id.clone(),
        tries: tries.into_iter().map(TryResource::of).collect(),
        message: MessageResource::of(&message)?,
    };
    Ok(Shown(caller.sight(), detail))
}

/// What a person found out about a message of which nobody knew whether it arrived.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finding {
    /// It arrived.
    Sent,
    /// It did not: it is sent again.
    SendAgain,
    /// It did not, and is not needed any more.
    GiveUp,
}

/// What a person found out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageResolution)]
pub(crate) struct ResolveBody {
    /// `sent`, `send_again` or `give_up`.
    outcome: Finding,
}

/// Say what became of a message of which nobody knows.
///
/// A message whose sending broke off is never sent again by itself: the recipient might be told twice. Ask them, or look
/// into the provider's log, and say what you found. `send_again` is refused (409, `job_running`) until the job that sent it
/// before has ended.
#[utoipa::path(
    post, path = "/v1/messages/{id}/resolve", tag = "Messages", operation_id = "resolve_message",
    request_body = ResolveBody, params(("id" = String, Path, description = "The message")),
    responses(
        (status = 200, description = "The message as it is now", body = MessageDetail),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn resolve_message(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<MessageId>,
    Json(body): Json<ResolveBody>,
) -> Result<Shown<MessageDetail>, Problem> {
    let resolution = match body.outcome {
        Finding::Sent => Resolution::Sent,
        Finding::SendAgain => Resolution::SendAgain,
        Finding::GiveUp => Resolution::GiveUp,
    };
    match messages::resolve(&app.db, caller.tenant, id, resolution, &caller.key.to_string()).await? {
        Resolved::Done => detail(&app, &caller, id).await,
        Resolved::NoMessage => Err(no_message()),
        Resolved::NotUnknown => {
            let detail = "what became of the message is known, or being found out; GET it to see";
            Err(Problem::new(Code::MessageSettled, detail))
        }
        Resolved::StillHeld(job) => {
            let detail =
                format!("{job}, which was to send the message, has not ended; say it again when it has");
            Err(Problem::new(Code::JobRunning, detail).retry_after(1))
        }
    }
}

pub(super) fn no_message() -> Problem {
    Problem::not_found("message")
}
