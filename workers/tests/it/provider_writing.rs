//! Bookings in calendars of Google, Microsoft and Cronofy: written once, known when they come back, and never over what a person did.

use jobs::{BookingId, CalendarLinkId, PartyId};
use serde_json::{Value, json};
use store::{
    bookings::{self, Status},
    calendars::{self, Conflict, ConflictFilter, Keep, Resolved},
};
use testkit::eventually;

use crate::{
    calendars::{ahead as days, book, busy, cancel, looked, reads},
    matching::technician,
    provider_books::Fault,
    providers::{Provider, ahead, hours, link_so, serve, start},
    world::{SOON, Worker, World},
};

const EACH: [&str; 3] = ["google", "microsoft", "cronofy"];

/// A world with somebody whose calendar is with a provider, and is written.
struct Linked {
    world: World,
    provider: Provider,
    name: &'static str,
    party: PartyId,
    id: CalendarLinkId,
    _worker: Worker,
}

impl Linked {
    async fn to(name: &'static str) -> Self {
        let (world, provider) = (World::new().await, serve().await);
        let worker = start(&world, &provider);
        let party = technician(&world, 0.0).await;
        let id = link_so(&world, party, name, true).await;
        Self { world, provider, name, party, id, _worker: worker }
    }

    async fn books(&self, in_days: i64) -> BookingId {
        book(&self.world, self.party, days(in_days)).await
    }

    /// The entry of a booking: what it is called there, and what it says.
    fn entry(&self, booking: BookingId) -> Option<(String, Value)> {
        self.provider.kept().entry(&booking.to_string())
    }

    /// The entry once it is there and noted, and time has passed since.
    async fn written(&self, booking: BookingId) -> (String, Value) {
        let entry = eventually("it to be written", SOON, async || self.entry(booking)).await;
        self.settles().await;
        entry
    }

    /// What was written is noted, and not a moment ago: Cronofy is not written again sooner.
    async fn settles(&self) {
        let pending = "select count(*) from calendar_push where state = 'pending'";
        eventually("it to be noted", SOON, async || {
            (self.world.database.number(pending).await.unwrap() == 0).then_some(())
        })
        .await;
        // One that was opened before would take what it reads for somebody else's.
        let readings = "select count(*) from job where kind = 'calendar.pull'";
        eventually("readings to end", SOON, async || {
            (self.world.database.number(readings).await.unwrap() == 0).then_some(())
        })
        .await;
        let later = "update calendar_push set settled_at = settled_at - interval '2 minutes'";
        self.world.database.execute(later).await.unwrap();
    }

    fn changes(&self, booking: BookingId, with: impl FnOnce(&mut Value)) {
        let (id, _) = self.entry(booking).unwrap();
        self.provider.kept().change(&id, with);
    }

    /// Somebody moves the entry to so many hours from now.
    fn moves(&self, booking: BookingId, hours: i64) {
        let [from, until] = [ahead(hours), ahead(hours + 1)].map(|at| at.to_rfc3339());
        self.changes(booking, |value| {
            if value["start"].is_object() {
                (value["start"]["dateTime"], value["end"]["dateTime"]) =
                    (json!(from[..19]), json!(until[..19]));
                if self.name == "google" {
                    (value["start"]["dateTime"], value["end"]["dateTime"]) = (json!(from), json!(until));
                }
            } else {
                (value["start"], value["end"]) = (json!(from), json!(until));
            }
        });
    }

    /// Somebody writes something down.
    fn adds(&self, booking: BookingId, words: &str) {
        let name = if self.name == "microsoft" { "bodyPreview" } else { "description" };
        self.changes(booking, |value| value[name] = json!(words));
    }

    /// Somebody takes the entry out.
    fn removes(&self, booking: BookingId) {
        if self.name == "google" {
            return self.changes(booking, |value| value["status"] = json!("cancelled"));
        }
        let (id, _) = self.entry(booking).unwrap();
        self.provider.kept().entries.push((id, None));
    }

    async fn open(&self) -> Vec<Conflict> {
        calendars::conflicts(&self.world.api, self.world.tenant, ConflictFilter::Open, None, 10)
            .await
            .unwrap()
    }

    async fn reads(&self, what: &str, so: impl AsyncFn() -> bool) {
        reads(&self.world, self.id, &format!("{}: {what}", self.name), so).await;
    }

    async fn conflict(&self, kind: &str) -> Conflict {
        self.reads(kind, async || self.open().await.iter().any(|found| found.kind == kind)).await;
        self.open().await.into_iter().find(|found| found.kind == kind).unwrap()
    }

    async fn ours(&self, conflict: &Conflict) {
        let done =
            calendars::resolve(&self.world.api, self.world.tenant, conflict.id(), Keep::Ours).await.unwrap();
        assert!(matches!(done, Resolved::Done(_)));
    }

    async fn is_gone(&self, booking: BookingId) {
        eventually("it to be out", SOON, async || self.entry(booking).is_none().then_some(())).await;
    }
}

/// What it is called, wherever it is.
fn summary(entry: &(String, Value)) -> &str {
    entry.1["summary"].as_str().or(entry.1["subject"].as_str()).unwrap()
}

#[tokio::test]
async fn what_is_booked_stands_there_and_takes_no_time_twice() {
    for name in EACH {
        let linked = Linked::to(name).await;
        linked.provider.notes("dentist", Some(30));
        let booking = linked.books(5).await;
        let entry = linked.written(booking).await;
        assert_eq!(summary(&entry), "12 Elm Street, rear", "{name}");
        let one = async || busy(&linked.world, linked.party).await.len() == 1;
        linked.reads("the dentist to be read", &one).await;
        assert!(linked.open().await.is_empty(), "{name}: ours is known");
        // Also when everything is told anew.
        linked.world.database.execute("update calendar_link set token = null").await.unwrap();
        linked.reads("it to be read anew", &one).await;
        assert!(linked.open().await.is_empty() && linked.provider.kept().writes == 1, "{name}: no loop");
        cancel(&linked.world, booking).await;
        linked.is_gone(booking).await;
        linked.settles().await;
        linked.reads("it to be read without ours", &one).await;
        assert!(linked.open().await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn what_a_person_changed_there_stays_until_another_says_otherwise() {
    for name in EACH {
        let linked = Linked::to(name).await;
        let booking = linked.books(5).await;
        let before = linked.written(booking).await;
        linked.moves(booking, 60);
        let edited = linked.conflict("edited").await;
        assert_eq!(edited.booking(), booking);
        assert!(busy(&linked.world, linked.party).await.is_empty(), "{name}: it is ours all the same");
        linked.ours(&edited).await;
        eventually("ours to hold", SOON, async || {
            linked.entry(booking).filter(|(_, now)| now["start"] == before.1["start"])
        })
        .await;
        linked.settles().await;
        linked.reads("what holds to be read", async || linked.open().await.is_empty()).await;
        // An edit that nobody has read is found when it would be written over.
        linked.moves(booking, 70);
        let theirs = linked.entry(booking).unwrap();
        cancel(&linked.world, booking).await;
        let found = async || linked.open().await.pop();
        let found = eventually("the edit to be found", SOON, found).await;
        assert_eq!((found.kind.as_str(), linked.entry(booking)), ("edited", Some(theirs)), "{name}");
        linked.settles().await;
        linked.ours(&found).await;
        linked.is_gone(booking).await;
    }
}

#[tokio::test]
async fn what_a_person_took_out_stays_out_until_another_says_otherwise() {
    for name in EACH {
        let linked = Linked::to(name).await;
        let booking = linked.books(5).await;
        linked.written(booking).await;
        let read = "select count(*) from calendar_object";
        let is_read = async || linked.world.database.number(read).await.unwrap() == 1;
        linked.reads("ours to be read", is_read).await;
        linked.removes(booking);
        let removed = linked.conflict("removed").await;
        assert!(linked.entry(booking).is_none(), "{name}");
        let booked =
            bookings::booking(&linked.world.api, linked.world.tenant, booking).await.unwrap().unwrap();
        assert_eq!(booked.status().unwrap(), Status::Confirmed);
        linked.ours(&removed).await;
        linked.written(booking).await;
        linked.reads("it to stand there again", async || linked.open().await.is_empty()).await;
    }
}

#[tokio::test]
async fn what_a_person_wrote_down_stays() {
    for name in EACH {
        let linked = Linked::to(name).await;
        let (visit, off) = (linked.books(5).await, linked.books(6).await);
        for booking in [visit, off] {
            linked.written(booking).await;
            linked.adds(booking, "Key at the neighbours");
        }
        linked.moves(visit, 60);
        let edited = linked.conflict("edited").await;
        linked.ours(&edited).await;
        linked.settles().await;
        assert!(linked.entry(visit).unwrap().1.to_string().contains("Key at the neighbours"), "{name}");
        cancel(&linked.world, off).await;
        let is_off = async || linked.entry(off).filter(|entry| summary(entry).starts_with("Cancelled: "));
        let kept = eventually("it to be called off", SOON, is_off).await;
        assert!(kept.1.to_string().contains("Key at the neighbours"), "{name}");
        linked.settles().await;
        let nothing = async || busy(&linked.world, linked.party).await.is_empty();
        linked.reads("neither to take time", nothing).await;
        assert!(linked.open().await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_write_of_which_nobody_heard_is_not_done_twice() {
    for name in EACH {
        let linked = Linked::to(name).await;
        linked.provider.kept().faults.push(Fault::Lost);
        let booking = linked.books(5).await;
        linked.written(booking).await;
        let entries = linked.provider.kept().shown(true, 0).len();
        assert_eq!((entries, linked.open().await.len()), (1, 0), "{name}");
        linked.provider.kept().faults.push(Fault::Lost);
        cancel(&linked.world, booking).await;
        linked.is_gone(booking).await;
        linked.settles().await;
        assert!(linked.open().await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn whoever_is_faster_than_a_write_is_not_written_over() {
    // Cronofy writes whatever is there.
    for name in ["google", "microsoft"] {
        let linked = Linked::to(name).await;
        let booking = linked.books(5).await;
        linked.written(booking).await;
        linked.provider.kept().faults.push(Fault::Overtaken);
        cancel(&linked.world, booking).await;
        let found = eventually("the edit to be found", SOON, async || linked.open().await.pop()).await;
        assert_eq!(found.kind, "edited", "{name}");
        assert!(linked.entry(booking).unwrap().1.to_string().contains("Mine"), "{name}");
    }
}

#[tokio::test]
async fn who_wants_to_be_left_alone_is_and_what_is_not_taken_is_given_up() {
    let linked = Linked::to("google").await;
    linked.provider.kept().faults.push(Fault::Answers(429));
    let asked = std::time::Instant::now();
    let booking = linked.books(5).await;
    linked.written(booking).await;
    assert!(asked.elapsed().as_secs() >= 4, "it said when to ask again");
    // A token that ended before its time is renewed, and the write is done with the new one.
    linked.provider.kept().has_ended = true;
    let renewed = linked.books(7).await;
    linked.written(renewed).await;
    assert_eq!(linked.provider.kept().renewals, 2);
    let given_up = "select count(*) from attempt where final_state = 'discarded'";
    linked.provider.kept().faults.push(Fault::Answers(400));
    let refused = linked.books(6).await;
    eventually("it to be given up", SOON, async || {
        (linked.world.database.number(given_up).await.unwrap() > 0).then_some(())
    })
    .await;
    assert!(linked.entry(refused).is_none());
}

impl Provider {
    /// Somebody comes with a token. That it ended is told to nobody before everybody is there who is awaited.
    pub(crate) async fn comes_in(&self) {
        let has_ended = {
            let mut kept = self.kept();
            kept.came += usize::from(kept.has_ended);
            kept.has_ended
        };
        if has_ended {
            let are_there = || async {
                let kept = self.kept();
                (kept.came >= kept.awaited).then_some(())
            };
            eventually("the others to come", SOON, are_there).await;
        }
    }
}

#[tokio::test]
async fn of_a_reading_and_a_write_whose_token_ended_one_renews_it_and_nobody_is_refused() {
    let linked = Linked::to("microsoft").await;
    let _other = start(&linked.world, &linked.provider);
    let (world, provider) = (&linked.world, &linked.provider);
    provider.notes("a", Some(30));
    linked.reads("it to be read", async || hours(world, linked.party).await == [30]).await;
    // Nobody else has anything to ask for.
    let is_watched = async || (provider.kept().channels.len() == 1).then_some(());
    eventually("a channel to be opened", SOON, is_watched).await;
    provider.notes("b", Some(40));
    provider.kept().awaited = 2;
    provider.kept().has_ended = true;
    // The write waits there for the reading.
    let booking = linked.books(5).await;
    linked.reads("what is new", async || hours(world, linked.party).await == [30, 40]).await;
    linked.written(booking).await;
    assert_eq!(provider.kept().renewals, 2, "the first token, and one more");
    assert!(provider.kept().came >= 2, "both came with the old one");
    let link = looked(world, linked.id).await;
    assert!(!link.is_refused && link.problem.is_none(), "{link:?}");
    let given_up = "select count(*) from attempt where final_state = 'discarded'";
    assert_eq!(world.database.number(given_up).await.unwrap(), 0);
}
