//! Calendars while others are at them: what was read before something was written, links that are made while somebody books, feeds
//! whose days pass, and servers that refuse us.

use jobs::{BookingId, CalendarFeedId, WebhookEndpointId};
use serde_json::{Value, json};
use store::{
    bookings::Status,
    calendars::{
        self, Conflict, ConflictFilter, Feed, FeedMade, FoundThere, Keep, NewFeed, Object, Own, Part,
        Reading, Resolved, Stands, Took,
    },
    matches::{self, Answered, Word},
    outbox::{self, NewEndpoint},
    people,
    submit::Answer,
};
use testkit::eventually;

use crate::{
    bookings::{made, move_to, new},
    calendars::{conflicts, link, reading, take},
    matching::{offered, request, wanted},
    people::{technician, visit},
    world::{LEASE, World},
};

const HREF: &str = "/ada/1.ics";

fn written(etag: &str) -> Stands {
    Stands::Written { href: HREF.into(), etag: Some(etag.into()) }
}

fn edited(booking: BookingId, etag: &str) -> Object {
    let own = Some(Own { booking, is_untouched: false });
    Object { href: HREF.into(), etag: etag.into(), events: json!([]), own }
}

async fn open(world: &World) -> Vec<Conflict> {
    conflicts(world, ConflictFilter::Open).await
}

#[tokio::test]
async fn what_was_read_before_something_was_written_says_nothing_of_it() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let settle = async |wish, stands: &Stands| {
        calendars::settle_push(&world.worker, world.tenant, (id, booking, wish), stands).await.unwrap();
    };
    settle(1, &written("1")).await;
    let found = Reading { changed: vec![edited(booking, "2")], ..reading(&world, id, &[]).await };
    assert_eq!(take(&world, id, &found).await, Took::Taken);
    let conflict = open(&world).await.pop().unwrap();
    let resolved = calendars::resolve(&world.api, world.tenant, conflict.id(), Keep::Ours).await.unwrap();
    assert!(matches!(resolved, Resolved::Done(_)));
    let before = reading(&world, id, &[]).await;
    settle(2, &written("3")).await;
    for late in [
        Reading { changed: vec![edited(booking, "2")], ..before.clone() },
        Reading { removed: vec![HREF.into()], ..before },
    ] {
        assert_eq!(take(&world, id, &late).await, Took::Outdated);
        assert!(open(&world).await.is_empty(), "somebody has seen to it");
    }
    let again = Reading { changed: vec![edited(booking, "4")], ..reading(&world, id, &[]).await };
    assert_eq!(take(&world, id, &again).await, Took::Taken);
    assert_eq!(open(&world).await[0].kind, "edited");
}

#[tokio::test]
async fn what_a_person_undid_is_over_and_the_booking_is_looked_after_again() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    calendars::settle_push(&world.worker, world.tenant, (id, booking, 1), &written("1")).await.unwrap();
    let reads = async |object| {
        let found = Reading { changed: vec![object], ..reading(&world, id, &[]).await };
        assert_eq!(take(&world, id, &found).await, Took::Taken);
        open(&world).await.len()
    };
    let undone = || Object { own: Some(Own { booking, is_untouched: true }), ..edited(booking, "3") };
    for wish in [2, 3] {
        assert_eq!(reads(edited(booking, "2")).await, 1);
        assert_eq!(reads(undone()).await, 0, "nobody has to see to it");
        let again = calendars::to_push(&world.worker, world.tenant, (id, booking, wish)).await.unwrap();
        assert!(again.is_some_and(|again| again.is_wanted && again.over.is_none()));
        calendars::settle_push(&world.worker, world.tenant, (id, booking, wish), &written("3"))
            .await
            .unwrap();
    }
    let all = conflicts(&world, ConflictFilter::All).await;
    assert_eq!((all.len(), all[0].resolution.as_deref()), (1, Some("gone")));
}

#[tokio::test]
async fn a_word_is_about_what_was_found_and_about_nothing_later() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let settle = async |wish, stands: &Stands| {
        calendars::settle_push(&world.worker, world.tenant, (id, booking, wish), stands).await.unwrap();
    };
    let over = async |wish| {
        let to_push = calendars::to_push(&world.worker, world.tenant, (id, booking, wish)).await.unwrap();
        to_push.unwrap().over
    };
    let ours = async || {
        let conflict = open(&world).await.pop().unwrap();
        calendars::resolve(&world.api, world.tenant, conflict.id(), Keep::Ours).await.unwrap();
    };
    assert_eq!(over(1).await, None);
    settle(1, &Stands::Conflict { href: HREF.into(), found: FoundThere::Edited("2".into()) }).await;
    ours().await;
    assert_eq!(over(2).await, Some(FoundThere::Edited("2".into())));
    settle(2, &Stands::Conflict { href: HREF.into(), found: FoundThere::Removed }).await;
    ours().await;
    assert_eq!(over(3).await, Some(FoundThere::Removed));
    settle(3, &written("5")).await;
    move_to(&world, booking, Status::Cancelled, 1).await;
    assert_eq!(over(4).await, None, "it was for what was there then");
}

#[tokio::test]
async fn a_calendar_that_is_linked_while_somebody_books_learns_of_it() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    // Somebody holds what both write, so that whoever books has confirmed and not yet looked for calendars.
    let mut holder = world.owner.begin().await.unwrap();
    sqlx::query("lock table calendar_push in exclusive mode").execute(&mut *holder).await.unwrap();
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let waits = async |count| {
        eventually("both to wait", LEASE, async || {
            (world.database.number(waiting).await.unwrap() == count).then_some(())
        })
        .await;
    };
    let (booking, id, ()) = tokio::join!(
        made(&world, new(&[party], Status::Confirmed, visit(9))),
        async {
            waits(1).await;
            link(&world, party).await
        },
        async {
            waits(2).await;
            holder.rollback().await.unwrap();
        }
    );
    let wanted = calendars::to_push(&world.worker, world.tenant, (id, booking, 1)).await.unwrap();
    assert!(wanted.is_some_and(|wanted| wanted.is_wanted));
}

#[tokio::test]
async fn the_days_of_a_feed_move_on_although_nothing_is_booked() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let feed = NewFeed { id: CalendarFeedId::new(), party, secret_sha256: [7; 32], by: "key".into() };
    let noted = |_: &Feed| Answer::of(201, None, &());
    let made = calendars::create_feed(&world.api, world.tenant, &feed, 1, None, noted).await.unwrap();
    assert!(matches!(made, FeedMade::New(_)));
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 1);
    assert!(calendars::show(&world.worker, world.tenant, feed.id, 1, ("file", "1")).await.unwrap());
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 0);
    world
        .database
        .execute("update calendar_feed set rolls_at = rolls_at - interval '25 hours'")
        .await
        .unwrap();
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 1);
    let shown = calendars::feed_bookings(&world.worker, world.tenant, feed.id).await.unwrap().unwrap();
    assert_eq!(shown.wish, 2);
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 0, "until the next day");
}

#[tokio::test]
async fn whoever_refuses_us_is_asked_less_and_less_and_in_the_end_no_more() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let endpoint = NewEndpoint {
        id: WebhookEndpointId::new(),
        url: "https://example.com/".into(),
        event_types: vec!["*".into()],
        key: "key".into(),
        concurrency: 1,
        by: "test".into(),
    };
    outbox::create(&world.api, world.tenant, &endpoint, 10, None, |_| Answer::of(201, None, &()))
        .await
        .unwrap();
    let id = link(&world, party).await;
    made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let fails = async |is_refused| {
        calendars::failed(&world.worker, world.tenant, id, "no", is_refused).await.unwrap();
    };
    // In hours, rounded; far away is never.
    let asked_in = async || {
        let sql = "select case when next_pull_at = 'infinity' then -1
            else round(extract(epoch from next_pull_at - clock_timestamp()) / 3600)::bigint end from calendar_link";
        world.database.number(sql).await.unwrap()
    };
    let later = async |hours: u32| {
        let sql =
            format!("update calendar_link set refused_since = refused_since - interval '{hours} hours'");
        world.database.execute(&sql).await.unwrap();
    };
    let told = async || {
        let sql = "select coalesce(jsonb_agg(data -> 'left_alone' order by id), '[]') from webhook_message
            where type = 'calendar.refused'";
        world.database.json(sql).await.unwrap()
    };
    fails(false).await;
    assert_eq!((asked_in().await, told().await), (0, json!([])), "it may be back within moments");
    fails(true).await;
    assert_eq!((asked_in().await, told().await), (0, json!([false])));
    calendars::ask(&world.worker).await.unwrap();
    let written: Value = world.database.json("select jsonb_agg(kind) from job").await.unwrap();
    assert_eq!(written, json!(["calendar.pull"]), "nothing is written where we are refused");
    later(2).await;
    fails(true).await;
    assert_eq!(asked_in().await, 2);
    later(24).await;
    fails(true).await;
    assert_eq!((asked_in().await, told().await), (6, json!([false])), "it is told once");
    later(6 * 24).await;
    fails(true).await;
    fails(true).await;
    assert_eq!((asked_in().await, told().await), (-1, json!([false, true])));
    // Whoever says that it is to be read has it read.
    calendars::pull_soon(&world.api, world.tenant, id).await.unwrap().unwrap();
    let back = reading(&world, id, &[]).await;
    assert_eq!(take(&world, id, &back).await, Took::Taken);
    fails(true).await;
    assert_eq!((asked_in().await, told().await), (0, json!([false, true, false])), "it begins anew");
}

#[tokio::test]
async fn what_a_calendar_says_after_somebody_was_asked_is_told_once_they_said_yes() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let request = request(&world, wanted()).await;
    let offer = offered(&world, request, 1).await;
    let appointment = Reading { busy: vec![visit(9)], ..reading(&world, id, &[]).await };
    assert_eq!(take(&world, id, &appointment).await, Took::Taken);
    assert!(open(&world).await.is_empty(), "nothing is booked yet");
    // Their calendar grows old before they answer: it is they who say yes.
    let old = "update membership set calendar_read_at = now() - interval '2 hours'";
    world.database.execute(old).await.unwrap();
    let said = matches::answer(&world.api, world.tenant, offer, Word::Accepted).await.unwrap();
    assert!(matches!(said, Answered::Heard(_)), "{said:?}");
    let same = Reading { busy: vec![visit(9)], ..reading(&world, id, &[]).await };
    assert_eq!(take(&world, id, &same).await, Took::Taken);
    assert_eq!(open(&world).await[0].kind, "overlap", "a person sees to it");
}

#[tokio::test]
async fn what_is_over_is_told_of_no_more_and_nobody_took_it_out() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    calendars::settle_push(&world.worker, world.tenant, (id, booking, 1), &written("1")).await.unwrap();
    let gone = async || {
        let found = Reading { removed: vec![HREF.into()], ..reading(&world, id, &[]).await };
        assert_eq!(take(&world, id, &found).await, Took::Taken);
        open(&world).await.len()
    };
    let past = "update booking set during = tstzrange(now() - interval '2 days', now() - interval '1 day')";
    world.database.execute(past).await.unwrap();
    assert_eq!(gone().await, 0);
    let ahead = "update booking set during = tstzrange(now(), now() + interval '1 hour')";
    world.database.execute(ahead).await.unwrap();
    assert_eq!(gone().await, 1);
}

#[tokio::test]
async fn a_reading_that_was_stopped_goes_on_from_where_it_was() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let begun = reading(&world, id, &[visit(9)]).await;
    let some = Object { href: HREF.into(), etag: "1".into(), events: json!([]), own: None };
    let keep = async |which| {
        calendars::keep(&world.worker, world.tenant, id, which, std::slice::from_ref(&some)).await.unwrap();
        let opened = calendars::open(&world.worker, world.tenant, id).await.unwrap().unwrap();
        (opened.known.len(), opened.token)
    };
    assert_eq!(keep(begun.reading).await, (1, None));
    let busy = people::absences(&world.api, world.tenant, party, None, 9).await.unwrap();
    assert!(busy.is_empty(), "it is not taken yet");
    let rest = Reading { removed: vec![HREF.into()], ..begun };
    assert_eq!(take(&world, id, &rest).await, Took::Taken);
    assert_eq!(keep(rest.reading).await, (0, Some("1".into())), "another reading came first");
    assert_eq!(keep(rest.reading + 1).await, (1, None), "the next one asks for everything");
}

#[tokio::test]
async fn parts_of_two_lists_are_not_mixed_and_grow_old() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let opened = async || calendars::open(&world.worker, world.tenant, id).await.unwrap().unwrap();
    let keep = async |reading, number, at| {
        let part = Part { at, is_all: true, number, next: format!("{number}"), told: json!([number]) };
        calendars::keep_part(&world.worker, (world.tenant, id), reading, &part).await.unwrap();
        opened().await.begun.map(|begun| (begun.at, begun.told.len(), begun.next))
    };
    let first = opened().await;
    let (one, other) = (first.at, opened().await.at);
    assert_eq!(keep(first.reading, 1, one).await, None, "none comes before it");
    assert_eq!(keep(first.reading, 0, one).await, Some((one, 1, "0".into())));
    assert_eq!(keep(first.reading, 1, one).await, Some((one, 2, "1".into())));
    assert_eq!(keep(first.reading, 0, other).await, Some((other, 1, "0".into())), "somebody began anew");
    assert_eq!(keep(first.reading, 2, one).await, Some((other, 1, "0".into())));
    assert_eq!(keep(first.reading, 1, one).await, Some((other, 1, "0".into())));
    calendars::forget_parts(&world.worker, world.tenant, id).await.unwrap();
    assert!(opened().await.begun.is_none());
    keep(first.reading, 0, one).await;
    world.database.execute("update calendar_part set begun_at = now() - interval '1 hour'").await.unwrap();
    assert!(opened().await.begun.is_none(), "what it tells is as old");
    keep(first.reading, 0, one).await;
    assert_eq!(take(&world, id, &reading(&world, id, &[]).await).await, Took::Taken);
    assert_eq!(keep(first.reading, 0, one).await, None, "another reading was taken");
}
