//! What calendars need at this moment: jobs of it, whoever looks first.

use std::collections::HashMap;

use jobs::{
    BookingId, CalendarFeedId, CalendarLinkId, InvitationId, TenantId,
    kinds::{
        calendar_export::CalendarExport, calendar_pull::CalendarPull, calendar_push::CalendarPush,
        calendar_renew::CalendarRenew, invite_send::InviteSend,
    },
};
use uuid::Uuid;

use super::parting;
use crate::{
    db::{Db, Tx, commit},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
};

/// Of each sort, how many are taken in one transaction.
const BATCH_MAX: i64 = 100;
/// How long after a calendar was asked it is asked again, in seconds.
const PULL_EVERY_S: i32 = 600;
/// How often a feed is made anew although nothing was booked, in hours.
const ROLL_EVERY_HOURS: i32 = 24;
/// What was asked for and is not there after so long is asked for again, in hours.
const AGAIN_HOURS: i32 = 6;

type Jobs = HashMap<Uuid, Vec<NewJob>>;

/// Has those calendars read that are due, those bookings written that wait, those feeds made that are not as they should be, those
/// guests told who have to hear something, and those providers told to stop whose calendar was removed; answers how many jobs that are. A job that is there already stands for the
/// new one. For workers.
///
/// # Errors
/// When the database fails; then all of them wait.
pub async fn ask(db: &Db) -> Result<usize, StoreError> {
    let mut tx = db.begin().await?;
    let mut jobs = Jobs::new();
    pulls(&mut tx, &mut jobs).await?;
    renewals(&mut tx, &mut jobs).await?;
    pushes(&mut tx, &mut jobs).await?;
    roll(&mut tx).await?;
    exports(&mut tx, &mut jobs).await?;
    invitations(&mut tx, &mut jobs).await?;
    let count = jobs.values().map(Vec::len).sum();
    for (tenant, new) in jobs {
        enqueue::insert(db, &mut tx, TenantId::from_uuid(tenant), &new).await?;
    }
    commit(tx, "have calendars looked after").await?;
    Ok(count)
}

fn unwritable(error: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { table: "job", found: error.to_string() }
}

async fn pulls(tx: &mut Tx, jobs: &mut Jobs) -> Result<(), StoreError> {
    let due: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "with due as (
             select id from calendar_link where next_pull_at <= clock_timestamp() order by next_pull_at limit $1
             for no key update skip locked
         )
         update calendar_link l set next_pull_at = clock_timestamp() + make_interval(secs => $2)
         from due where l.id = due.id returning l.tenant_id, l.id",
    )
    .bind(BATCH_MAX)
    .bind(PULL_EVERY_S)
    .fetch_all(&mut **tx)
    .await
    .or_failed("take calendars that are due")?;
    for (tenant, link) in due {
        let args = CalendarPull { link: CalendarLinkId::from_uuid(link) };
        jobs.entry(tenant).or_default().push(NewJob::of(&args).map_err(|error| unwritable(&error))?);
    }
    Ok(())
}

async fn renewals(tx: &mut Tx, jobs: &mut Jobs) -> Result<(), StoreError> {
    let due: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "with due as (
             select id from calendar_link where renew_at <= clock_timestamp() and not is_refused order by renew_at limit $1
             for no key update skip locked
         )
         update calendar_link l set renew_at = clock_timestamp() + make_interval(hours => $2)
         from due where l.id = due.id returning l.tenant_id, l.id",
    )
    .bind(BATCH_MAX)
    .bind(AGAIN_HOURS)
    .fetch_all(&mut **tx)
    .await
    .or_failed("take calendars whose changes somebody is to tell of")?;
    let due = due.into_iter().map(|(tenant, link)| (tenant, CalendarLinkId::from_uuid(link)));
    for (tenant, link) in due.chain(parting::due(tx, BATCH_MAX, AGAIN_HOURS).await?) {
        let args = CalendarRenew { link };
        jobs.entry(tenant).or_default().push(NewJob::of(&args).map_err(|error| unwritable(&error))?);
    }
    Ok(())
}

async fn pushes(tx: &mut Tx, jobs: &mut Jobs) -> Result<(), StoreError> {
    let due: Vec<(Uuid, Uuid, Uuid, i32)> = sqlx::query_as(
        "with due as (
             select p.link_id, p.booking_id from calendar_push p
             join calendar_link l on l.id = p.link_id and not l.is_refused
             where p.state = 'pending'
                 and (p.asked_wish < p.wish or p.asked_at < clock_timestamp() - make_interval(hours => $2))
             limit $1 for no key update of p skip locked
         )
         update calendar_push p set asked_wish = p.wish, asked_at = clock_timestamp()
         from due where p.link_id = due.link_id and p.booking_id = due.booking_id
         returning p.tenant_id, p.link_id, p.booking_id, p.wish",
    )
    .bind(BATCH_MAX)
    .bind(AGAIN_HOURS)
    .fetch_all(&mut **tx)
    .await
    .or_failed("take bookings that are to be written")?;
    for (tenant, link, booking, wish) in due {
        let (link, booking) = (CalendarLinkId::from_uuid(link), BookingId::from_uuid(booking));
        let job = NewJob::of(&CalendarPush { link, booking, wish }).map_err(|error| unwritable(&error))?;
        jobs.entry(tenant).or_default().push(job);
    }
    Ok(())
}

/// The days that a feed shows move on, whatever was booked.
async fn roll(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query(
        "with due as (
             select id from calendar_feed where rolls_at <= clock_timestamp() order by rolls_at limit $1
             for no key update skip locked
         )
         update calendar_feed f set wish = f.wish + 1, rolls_at = clock_timestamp() + make_interval(hours => $2)
         from due where f.id = due.id",
    )
    .bind(BATCH_MAX)
    .bind(ROLL_EVERY_HOURS)
    .execute(&mut **tx)
    .await
    .or_failed("take feeds whose days have passed")?;
    Ok(())
}

async fn exports(tx: &mut Tx, jobs: &mut Jobs) -> Result<(), StoreError> {
    let due: Vec<(Uuid, Uuid, i32)> = sqlx::query_as(
        "with due as (
             select id from calendar_feed where shown_wish < wish
                 and (asked_wish < wish or asked_at < clock_timestamp() - make_interval(hours => $2))
             limit $1 for no key update skip locked
         )
         update calendar_feed f set asked_wish = f.wish, asked_at = clock_timestamp()
         from due where f.id = due.id returning f.tenant_id, f.id, f.wish",
    )
    .bind(BATCH_MAX)
    .bind(AGAIN_HOURS)
    .fetch_all(&mut **tx)
    .await
    .or_failed("take feeds that are to be made")?;
    for (tenant, feed, wish) in due {
        let args = CalendarExport { feed: CalendarFeedId::from_uuid(feed), wish };
        jobs.entry(tenant).or_default().push(NewJob::of(&args).map_err(|error| unwritable(&error))?);
    }
    Ok(())
}

async fn invitations(tx: &mut Tx, jobs: &mut Jobs) -> Result<(), StoreError> {
    let due: Vec<(Uuid, Uuid, i32)> = sqlx::query_as(
        "with due as (
             select id from invitation where done_wish < wish
                 and (asked_wish < wish or asked_at < clock_timestamp() - make_interval(hours => $2))
             limit $1 for no key update skip locked
         )
         update invitation i set asked_wish = i.wish, asked_at = clock_timestamp()
         from due where i.id = due.id returning i.tenant_id, i.id, i.wish",
    )
    .bind(BATCH_MAX)
    .bind(AGAIN_HOURS)
    .fetch_all(&mut **tx)
    .await
    .or_failed("take guests who have to hear something")?;
    for (tenant, invitation, wish) in due {
        let args = InviteSend { invitation: InvitationId::from_uuid(invitation), wish };
        jobs.entry(tenant).or_default().push(NewJob::of(&args).map_err(|error| unwritable(&error))?);
    }
    Ok(())
}
