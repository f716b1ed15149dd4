//! What a tenant's endpoints are told of, and how secrets lie in their rows.

use jobs::{
    DeliveryId, JobId, WebhookEndpointId, WebhookSourceId, failure::Problem, kinds::probe_work::ProbeWork,
};
use serde_json::json;
use store::{
    Db, Role, StoreError,
    cancel::cancel,
    deliveries::{self, Manifest, NewNote},
    enqueue::NewJob,
    inbox::{self, NewSource},
    outbox::{self, NewEndpoint},
    rescue,
    sealing::{self, MasterKeys},
    settle,
    submit::Answer,
    verdict::{Settle, Verdict},
};

use crate::world::{NO_LEASE, World};

const MASTER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const OTHER_MASTER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const SECRET: &str = "rosebud";

fn answer() -> Answer {
    Answer { status: 201, location: None, body: "{}".into() }
}

fn probe() -> NewJob {
    NewJob::of(&ProbeWork::default()).unwrap()
}

impl World {
    pub(crate) async fn endpoint(&self) -> WebhookEndpointId {
        let new = NewEndpoint {
            id: WebhookEndpointId::new(),
            url: "https://example.com/".into(),
            event_types: vec!["*".into()],
            key: SECRET.into(),
            concurrency: 1,
            by: "test".into(),
        };
        outbox::create(&self.api, self.tenant, &new, 10, None, |_| answer()).await.unwrap();
        new.id
    }

    /// The types of what happened, in order, with what it happened to.
    pub(crate) async fn told(&self) -> Vec<(String, String)> {
        let sql = "select coalesce(jsonb_agg(jsonb_build_array(type, subject) order by created_at, id), '[]') from webhook_message";
        serde_json::from_value(self.database.json(sql).await.unwrap()).unwrap()
    }
}

#[tokio::test]
async fn every_end_of_a_job_is_told_once_and_of_telling_nothing() {
    let world = World::new().await;
    world.enqueue(probe()).await;
    let before = world.claim(1).await;
    let done = || Verdict::Completed { result: json!({}).into() };
    settle::settle(&world.worker, &[Settle::of(&before[0], done())], &[before[0].lease]).await.unwrap();
    assert!(world.told().await.is_empty(), "nobody wants to know");

    world.endpoint().await;
    // Another process, which did not look before.
    let worker = world.database.db(Role::Worker).unwrap();
    let mut ends: Vec<(String, String)> = Vec::new();
    let problem = Problem::new("x", "x");
    let given_up = Verdict::Discarded { problem: problem.clone() };
    for (verdict, word) in [(done(), "job.completed"), (given_up, "job.discarded")] {
        let job = world.enqueue(probe()).await;
        let claimed = world.claim(1).await;
        let settled = Settle::of(&claimed[0], verdict);
        assert_eq!(settle::settle(&worker, std::slice::from_ref(&settled), &[]).await.unwrap().len(), 1);
        assert!(settle::settle(&worker, &[settled], &[claimed[0].lease]).await.unwrap().is_empty());
        ends.push((word.into(), job.to_string()));
    }
    let job = world.enqueue(probe()).await;
    let claimed = world.claim(1).await;
    assert!(settle::settle_with(&worker, &Settle::of(&claimed[0], done()), &[], &[]).await.unwrap());
    settle::drop_done(&worker, &[claimed[0].lease]).await.unwrap();
    ends.push(("job.completed".into(), job.to_string()));

    let job = world.enqueue(probe()).await;
    cancel(&world.api, world.tenant, job, &problem).await.unwrap();
    ends.push(("job.cancelled".into(), job.to_string()));

    let job = world.enqueue(NewJob { max_attempts: 1, ..probe() }).await;
    world.claim_for(1, NO_LEASE).await;
    assert_eq!(rescue::rescue(&worker, rescue::From::Anyone).await.unwrap().len(), 1);
    ends.push(("job.discarded".into(), job.to_string()));
    assert_eq!(world.told().await, ends);

    // Deliveries are made once, and their end is nothing to tell.
    let fits = |pattern: &str, _: &str| pattern == "*";
    assert_eq!(outbox::fan_out(&worker, fits).await.unwrap(), ends.len());
    assert_eq!(outbox::fan_out(&worker, fits).await.unwrap(), 0);
    let claimed = world.claim(10).await;
    assert!(claimed.len() == 1 && claimed[0].kind == "webhook.deliver", "one at a time goes to one endpoint");
    settle::settle(&worker, &[Settle::of(&claimed[0], done())], &[claimed[0].lease]).await.unwrap();
    assert_eq!(world.told().await, ends);
}

#[tokio::test]
async fn what_happens_to_deliveries_is_told() {
    let world = World::new().await;
    world.endpoint().await;
    let (id, tenant) = (DeliveryId::new(), world.tenant.as_uuid());
    let sql = format!(
        "insert into delivery (id, tenant_id, title, link_secret, expires_at, created_by)
         values ('{}', '{tenant}', 'x', sha256('x'), now() + interval '1 day', 'x')",
        id.as_uuid()
    );
    world.database.execute(&sql).await.unwrap();
    let mut tx = world.worker.begin().await.unwrap();
    deliveries::publish(
        &mut tx,
        world.tenant,
        id,
        &Manifest { files: Vec::new(), variants: Vec::new() },
        &"0".repeat(64),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let delivery = deliveries::delivery(&world.api, world.tenant, id).await.unwrap().unwrap();
    let note = NewNote { place: 1, at: None, text: "too dark".into() };
    assert!(deliveries::add_note(&world.api, &delivery, &note, 10).await.unwrap());
    for _ in 0..2 {
        deliveries::approve(&world.api, &delivery).await.unwrap();
    }
    let types: Vec<String> = world.told().await.into_iter().map(|(event_type, _)| event_type).collect();
    assert_eq!(types, ["delivery.published", "delivery.changes_requested", "delivery.approved"]);
}

#[tokio::test]
async fn secrets_lie_sealed_whoever_s_they_are_and_follow_the_master_key() {
    let world = World::new().await;
    let given = |role, present, before| {
        let db = Db::connect(&world.database.options(role)).unwrap();
        db.with_masters(MasterKeys::parse(present, before).unwrap())
    };
    let api = given(Role::Api, MASTER, None);
    let new = NewSource {
        id: WebhookSourceId::new(),
        name: "x".into(),
        scheme: json!({"type": "stripe"}),
        window_s: 300,
        feedback: None,
        feedback_topic: None,
        order_pointer: None,
        sequence_pointer: None,
        secret: Some(SECRET.into()),
        by: "test".into(),
    };
    inbox::create(&api, world.tenant, &new, 10, None, |_| answer()).await.unwrap();
    inbox::rotate(&api, world.tenant, new.id, "another", 60).await.unwrap();
    let endpoint = NewEndpoint {
        id: WebhookEndpointId::new(),
        url: "https://example.com".into(),
        event_types: vec!["*".into()],
        key: SECRET.into(),
        concurrency: 1,
        by: "test".into(),
    };
    outbox::create(&api, world.tenant, &endpoint, 10, None, |_| answer()).await.unwrap();
    let shown = "select count(*) from webhook_source as s, webhook_endpoint as e
        where position('rosebud'::bytea in s.previous || e.secret) > 0";
    assert_eq!(world.database.number(shown).await.unwrap(), 0);

    let opened = async |db: &Db| {
        let now = chrono::Utc::now();
        let source = inbox::get(db, world.tenant, new.id).await.unwrap().unwrap();
        let endpoint = outbox::get(db, world.tenant, endpoint.id).await.unwrap().unwrap();
        Ok::<_, StoreError>([inbox::secrets(db, &source, now)?, outbox::keys(db, &endpoint, now)?].concat())
    };
    assert_eq!(opened(&api).await.unwrap(), ["another", SECRET, SECRET], "the present one first");
    assert_eq!(sealing::reseal(&given(Role::Owner, OTHER_MASTER, Some(MASTER))).await.unwrap(), 3);
    assert_eq!(sealing::reseal(&given(Role::Owner, OTHER_MASTER, None)).await.unwrap(), 0, "nothing is left");
    assert_eq!(opened(&given(Role::Api, OTHER_MASTER, None)).await.unwrap().len(), 3);
    let without = Db::connect(&world.database.options(Role::Api)).unwrap();
    let plain = inbox::rotate(&without, world.tenant, new.id, "a third", 60).await;
    assert!(matches!(plain, Err(StoreError::NoMasterKey { .. })), "never written plain");
    for blind in [api, without] {
        assert!(matches!(opened(&blind).await, Err(StoreError::NoMasterKey { .. })));
        assert!(matches!(sealing::check(&blind).await, Err(StoreError::NoMasterKey { .. })));
    }
    let api = given(Role::Api, OTHER_MASTER, None);
    let strangers = JobId::new();
    assert!(inbox::source_of(&api, WebhookSourceId::from_uuid(strangers.as_uuid())).await.unwrap().is_none());
}
