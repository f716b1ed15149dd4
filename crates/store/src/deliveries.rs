//! Deliveries: chosen files under chosen names, behind a link that ends and can be taken back.

mod burying;
mod manifest;
mod publishing;
mod review;
mod writing;

use chrono::{DateTime, Utc};
use jobs::{AssetId, DeliveryId, JobId, TenantId, Variant};
use serde::Deserialize;
use sqlx::{AssertSqlSafe, FromRow, types::Json};
use uuid::Uuid;

pub(crate) use self::burying::discard_archives_with;
pub use self::{
    burying::{Burial, Grave, announce_archive, bury_archive, due_archives},
    manifest::{File, Manifest, Part, Playable, Stored},
    publishing::{Candidate, Maker, being_made, candidates, note_publisher, publish},
    review::{NewNote, Note, add_note, approve, notes},
    writing::{Created, NewArchive, NewDelivery, create, insert_archive, remove, revoke},
};
use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// A delivery.
#[derive(Debug, Clone, FromRow)]
pub struct Delivery {
    id: Uuid,
    tenant_id: Uuid,
    /// What it is called.
    pub title: String,
    /// What its links are signed with.
    pub link_secret: Vec<u8>,
    /// When its link ends.
    pub expires_at: DateTime<Utc>,
    /// When its link was taken back, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
    /// What the link shows; none before it is published.
    pub manifest: Option<Json<Manifest>>,
    /// SHA-256 of that, hexadecimal.
    pub manifest_sha256: Option<String>,
    /// When it was published last.
    pub published_at: Option<DateTime<Utc>>,
    /// SHA-256 of the manifest that was found right; not always that of this one.
    pub approved_sha256: Option<String>,
    /// When it was.
    pub approved_at: Option<DateTime<Utc>>,
    publish_job: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, tenant_id, title, link_secret, expires_at, revoked_at, manifest, manifest_sha256, published_at, approved_sha256, approved_at, publish_job, created_at";

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It was not published yet.
    Preparing,
    /// Its link shows it.
    Open,
    /// Its link has ended.
    Expired,
    /// Its link was taken back.
    Revoked,
}

impl DeliveryState {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Delivery {
    /// How it stands.
    pub fn state(&self) -> DeliveryState {
        match self {
            gone if gone.revoked_at.is_some() => DeliveryState::Revoked,
            gone if gone.expires_at <= Utc::now() => DeliveryState::Expired,
            open if open.published_at.is_some() => DeliveryState::Open,
            _ => DeliveryState::Preparing,
        }
    }

    /// Which it is.
    pub fn id(&self) -> DeliveryId {
        DeliveryId::from_uuid(self.id)
    }

    /// Whether what it shows now was found right.
    pub fn is_approved(&self) -> bool {
        self.approved_sha256.is_some() && self.approved_sha256 == self.manifest_sha256
    }

    /// The job that published it last, or tries to.
    pub fn publish_job(&self) -> Option<JobId> {
        self.publish_job.map(JobId::from_uuid)
    }

    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        TenantId::from_uuid(self.tenant_id)
    }
}

/// The delivery of `tenant` with this id.
///
/// # Errors
/// When the database fails.
pub async fn delivery(db: &Db, tenant: TenantId, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from delivery where tenant_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read a delivery")
}

/// The deliveries of `tenant` that are in `state`, or all, before `before`, newest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    state: Option<DeliveryState>,
    before: Option<DeliveryId>,
    max: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from delivery
         where tenant_id = $1 and ($2::uuid is null or id < $2) and ($4::text is null or $4 = case
             when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired'
             when published_at is not null then 'open' else 'preparing' end)
         order by id desc limit $3"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(before.map(|before| before.as_uuid()))
        .bind(max)
        .bind(state.map(DeliveryState::name))
        .fetch_all(&mut *tx)
        .await
        .or_failed("list deliveries")
}

/// A file that was put into a delivery.
#[derive(Debug, Clone, FromRow)]
pub struct Item {
    asset_id: Uuid,
    /// What it is called in the delivery.
    pub name: String,
}

impl Item {
    /// The file.
    pub fn asset(&self) -> AssetId {
        AssetId::from_uuid(self.asset_id)
    }
}

/// What was put into a delivery, in order.
///
/// # Errors
/// When the database fails.
pub async fn items(db: &Db, tenant: TenantId, id: DeliveryId) -> Result<Vec<Item>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select asset_id, name from delivery_item where tenant_id = $1 and delivery_id = $2 order by place",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read what is in a delivery")
}

/// An archive of a delivery.
#[derive(Debug, Clone, FromRow)]
pub struct Archived {
    /// Which file of each photograph: a [`Variant`]'s name.
    pub variant: String,
    /// Of what it was made.
    pub manifest_sha256: String,
    /// Where it lies.
    pub object_key: String,
    /// Its size.
    pub bytes: i64,
    /// Files in it.
    pub files: i32,
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
}

/// The archives of what `id` holds now.
///
/// # Errors
/// When the database fails.
pub async fn archives(db: &Db, tenant: TenantId, id: DeliveryId) -> Result<Vec<Archived>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select a.variant, a.manifest_sha256, a.object_key, a.bytes, a.files, a.sha256
         from delivery_archive a join delivery d on d.id = a.delivery_id and d.manifest_sha256 = a.manifest_sha256
         where a.tenant_id = $1 and a.delivery_id = $2 order by a.bytes",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read the archives of a delivery")
}

/// The archive in `variant` of what `id` holds now, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn archive(
    db: &Db,
    tenant: TenantId,
    id: DeliveryId,
    variant: Variant,
) -> Result<Option<Archived>, StoreError> {
    let archives = archives(db, tenant, id).await?;
    Ok(archives.into_iter().find(|archive| archive.variant == variant.name()))
}

/// What has to be known of a delivery before anybody knows whose it is.
#[derive(Debug, Clone, FromRow)]
pub struct Linked {
    tenant_id: Uuid,
    /// What its links are signed with.
    pub link_secret: Vec<u8>,
    /// When its link ends.
    pub expires_at: DateTime<Utc>,
    /// When its link was taken back, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Linked {
    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        TenantId::from_uuid(self.tenant_id)
    }
}

/// Keeps back what a link may not show any more, though it was published: files whose asset was removed since, or is held.
///
/// # Errors
/// When the database fails.
pub async fn withhold(db: &Db, tenant: TenantId, manifest: &mut Manifest) -> Result<(), StoreError> {
    let assets: Vec<Uuid> = manifest.files.iter().map(|file| file.asset.as_uuid()).collect();
    let mut tx = db.tenant(tenant).await?;
    let served: Vec<Uuid> =
        sqlx::query_scalar("select id from asset where tenant_id = $1 and id = any($2) and state = 'clean'")
            .bind(tenant.as_uuid())
            .bind(&assets)
            .fetch_all(&mut *tx)
            .await
            .or_failed("see which files of a delivery are still served")?;
    manifest.withhold(|asset| served.contains(&asset.as_uuid()));
    Ok(())
}

/// The delivery that a link names, for checking the link.
///
/// # Errors
/// When the database fails.
pub async fn linked(db: &Db, id: DeliveryId) -> Result<Option<Linked>, StoreError> {
    sqlx::query_as("select tenant_id, link_secret, expires_at, revoked_at from find_delivery($1)")
        .bind(id.as_uuid())
        .fetch_optional(db.pool())
        .await
        .or_failed("look up a delivery by its link")
}
