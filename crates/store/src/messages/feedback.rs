//! What the world tells of messages after they went out.

use jobs::{Channel, ContactPointId, MessageId, TenantId};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    parties,
};

/// A message that somebody tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// We sent it, or were about to.
    Message(MessageId),
    /// No such message is known, but one is being sent at this moment whose name nobody has written down yet.
    PerhapsSoon,
    /// We never sent it.
    Never,
}

/// Looks for a message of `channel` by the name we gave it, or by the one that its provider gave it.
///
/// # Errors
/// When the database fails.
pub async fn find_sent(
    db: &Db,
    tenant: TenantId,
    channel: Channel,
    message: Option<MessageId>,
    provider_id: Option<&str>,
) -> Result<Known, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Option<Uuid> = sqlx::query_scalar(
        "select e.message_id from effect e join message m on m.id = e.message_id
         where e.tenant_id = $1 and m.channel = $2 and (e.message_id = $3 or provider_word(e.provider_id) = $4)
         order by (e.message_id = $3) is true desc, e.begun_at desc limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(channel.name())
    .bind(message.map(|message| message.as_uuid()))
    .bind(provider_id)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("find a message that somebody tells of")?;
    if let Some(found) = found {
        return Ok(Known::Message(MessageId::from_uuid(found)));
    }
    let is_sending: bool = sqlx::query_scalar(
        "select exists (
             select from message m join effect e on e.message_id = m.id
             where m.tenant_id = $1 and m.state = 'sending' and m.channel = $2 and e.state = 'begun')",
    )
    .bind(tenant.as_uuid())
    .bind(channel.name())
    .fetch_one(&mut *tx)
    .await
    .or_failed("see whether a message is being sent")?;
    Ok(if is_sending { Known::PerhapsSoon } else { Known::Never })
}

/// What was told of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// Which message.
    pub message: MessageId,
    /// Its state from then on, unless it is in a later one.
    pub state: &'static str,
    /// What keeps everything away from its address from then on.
    pub suppression: Option<&'static str>,
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// In the provider's words.
    pub detail: Option<String>,
    /// What it cost: the amount, a decimal number, and its currency.
    pub cost: Option<(String, String)>,
    /// Who told it.
    pub source: String,
}

/// The states in which a message may be when it is told of, and which is later. Everything else is earlier than `sent`.
const LATER: &str = "array['sent', 'delivered', 'read', 'bounced', 'complained']";

/// Notes what was told of a message, and what keeps others away from its address. However often and in whatever order it is
/// told, the message never goes back to an earlier state. Part of the transaction that settles the job.
///
/// # Errors
/// When the database fails.
pub async fn note_feedback(
    tx: &mut PgConnection,
    tenant: TenantId,
    feedback: &Feedback,
) -> Result<(), StoreError> {
    let Some(contact) = lock(tx, tenant, feedback.message).await? else { return Ok(()) };
    // Whoever tells of it has it: nobody need ask any more whether it went out.
    sqlx::query(
        "update effect set state = 'done', provider_id = coalesce(provider_id, $3), resolved_by = $4,
             ended_at = coalesce(ended_at, clock_timestamp())
         where tenant_id = $1 and message_id = $2 and state in ('begun', 'unknown')",
    )
    .bind(tenant.as_uuid())
    .bind(feedback.message.as_uuid())
    .bind(&feedback.provider_id)
    .bind(&feedback.source)
    .execute(&mut *tx)
    .await
    .or_failed("resolve what was done outside")?;
    let sql = format!(
        "update message set state = $3, detail = $4, sent_at = coalesce(sent_at, clock_timestamp()),
             provider_id = coalesce(provider_id, $5), feedback_at = clock_timestamp()
         where tenant_id = $1 and id = $2
             and coalesce(array_position({LATER}, $3), 0) > coalesce(array_position({LATER}, state), 0)"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(feedback.message.as_uuid())
        .bind(feedback.state)
        .bind(&feedback.detail)
        .bind(&feedback.provider_id)
        .execute(&mut *tx)
        .await
        .or_failed("note what was told of a message")?;
    if let Some((amount, currency)) = &feedback.cost {
        note_cost(tx, tenant, feedback.message, amount, currency).await?;
    }
    match (contact.contact_point_id, feedback.suppression) {
        (Some(contact), Some(word)) => {
            let contact = ContactPointId::from_uuid(contact);
            parties::suppress_once(tx, tenant, contact, word, &feedback.source).await
        }
        _ => Ok(()),
    }
}

async fn note_cost(
    tx: &mut PgConnection,
    tenant: TenantId,
    message: MessageId,
    amount: &str,
    currency: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "update message set cost_amount = $3::text::numeric, cost_currency = $4 where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(message.as_uuid())
    .bind(amount)
    .bind(currency)
    .execute(tx)
    .await
    .or_failed("note what a message cost")?;
    Ok(())
}

/// Notes what a mail server told of a mail, whoever's it is; false when no such mail went out from here. For workers.
///
/// # Errors
/// When the database fails.
pub async fn note_returned(db: &Db, feedback: &Feedback) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let sender: Option<Uuid> = sqlx::query_scalar(
        "select m.tenant_id from message m join effect e on e.message_id = m.id
         where m.id = $1 and m.channel = $2 limit 1",
    )
    .bind(feedback.message.as_uuid())
    .bind(Channel::Email.name())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("find a mail that came back")?;
    let Some(sender) = sender.map(TenantId::from_uuid) else { return Ok(false) };
    note_feedback(&mut tx, sender, feedback).await?;
    commit(tx, "note what was told of a mail").await?;
    Ok(true)
}

#[derive(FromRow)]
struct Contact {
    contact_point_id: Option<Uuid>,
}

/// Where the message went, held until the transaction ends so that two who tell of it stand in a line.
async fn lock(
    tx: &mut PgConnection,
    tenant: TenantId,
    message: MessageId,
) -> Result<Option<Contact>, StoreError> {
    sqlx::query_as("select contact_point_id from message where tenant_id = $1 and id = $2 for update")
        .bind(tenant.as_uuid())
        .bind(message.as_uuid())
        .fetch_optional(tx)
        .await
        .or_failed("look at a message that somebody tells of")
}
