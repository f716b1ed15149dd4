//! What every kind in the catalogue has to bear, for nothing: run twice, and die at every named point.

use std::sync::Mutex;

use clap::ValueEnum;
use jobs::{
    AssetId, ContactPointId, DeliveryId, Job, JobId, MessageId, PartyId, State, Variant, for_each_kind,
    kinds::{
        delivery_publish::DeliveryPublish, delivery_zip::DeliveryZip, media_contact_sheet::MediaContactSheet,
        media_probe::MediaProbe, media_rendition::MediaRendition, media_scan::MediaScan,
        notify_plan::NotifyPlan, notify_send::NotifySend, video_chunk::VideoChunk,
        video_transcode::VideoTranscode, webhook_deliver::WebhookDeliver, webhook_process::WebhookProcess,
    },
};
use store::{
    deliveries::{File, Manifest, Stored},
    enqueue::NewJob,
    media,
    parties::{self, Terms},
    submit::Answer,
};
use workers::faults::Point;

use crate::world::{SOON, World, film, photo};

/// Kinds whose workers die at the same time: most of it is waiting for leases to end.
const KINDS_AT_ONCE: usize = 3;

/// A job of `kind` that can complete in this world. A kind whose example needs nothing is here already.
async fn job_of(world: &World, kind: &str) -> NewJob {
    macro_rules! example {
        ($($each:ty),+ $(,)?) => {
            match kind {
                $(<$each as Job>::KIND => NewJob::of(&<$each as Job>::example()).unwrap(),)+
                other => panic!("no kind is called {other}"),
            }
        };
    }
    if kind == MediaRendition::KIND {
        let asset = world.asset(photo("FreshFlower.jpg")).await;
        return NewJob::of(&MediaRendition {
            asset,
            preset: MediaRendition::default_preset(),
            branded: false,
        })
        .unwrap();
    }
    if kind == MediaScan::KIND {
        let asset = world.asset(photo("FreshFlower.jpg")).await;
        return NewJob::of(&MediaScan { asset }).unwrap();
    }
    if kind == DeliveryPublish::KIND {
        return NewJob::of(&DeliveryPublish { delivery: delivery(world).await, archives: Vec::new() })
            .unwrap();
    }
    if kind == DeliveryZip::KIND {
        let delivery = delivery(world).await;
        return NewJob::of(&DeliveryZip { delivery, variant: Variant::Original, manifest_sha256: None })
            .unwrap();
    }
    if kind == MediaContactSheet::KIND {
        let assets = vec![world.asset(photo("FreshFlower.jpg")).await];
        let (title, columns) = ("x".to_owned(), MediaContactSheet::default_columns());
        return NewJob::of(&MediaContactSheet { assets, title, columns }).unwrap();
    }
    if kind == NotifyPlan::KIND {
        let party = party(world).await;
        return NewJob::of(&NotifyPlan {
            recipients: vec![party],
            dedupe_s: Some(0),
            ..NotifyPlan::example()
        })
        .unwrap();
    }
    if kind == NotifySend::KIND {
        let message = line(world, party(world).await).await;
        return NewJob::of(&NotifySend { message }).unwrap();
    }
    if kind == MediaProbe::KIND {
        let asset = world.asset(photo("FreshFlower.jpg")).await;
        return NewJob::of(&MediaProbe { asset }).unwrap();
    }
    if kind == VideoTranscode::KIND {
        // One rung, so that which is first is no chance.
        let asset = world.asset(film("64x36", 1)).await;
        return NewJob::of(&VideoTranscode { asset, preset: VideoTranscode::default_preset() }).unwrap();
    }
    if kind == VideoChunk::KIND {
        let asset = world.asset(film("64x36", 1)).await;
        return NewJob::of(&waited_for(world, asset).await).unwrap();
    }
    if kind == WebhookProcess::KIND {
        return NewJob::of(&webhook(world).await).unwrap();
    }
    if kind == WebhookDeliver::KIND {
        return NewJob::of(&told(world).await).unwrap();
    }
    for_each_kind!(example)
}

/// A webhook that came in, and no rule for it.
async fn webhook(world: &World) -> WebhookProcess {
    let args = WebhookProcess::example();
    let (source, tenant, event) = (JobId::new().as_uuid(), world.tenant.as_uuid(), args.event.as_uuid());
    for sql in [
        format!(
            "insert into webhook_source (id, tenant_id, name, scheme, window_s, created_by)
             values ('{source}', '{tenant}', 'x{}', '{{\"type\": \"sns\"}}', 1, 'x')",
            source.simple()
        ),
        format!(
            "insert into webhook_event (id, tenant_id, source_id, event_id, event_type, headers, body)
             values ('{event}', '{tenant}', '{source}', 'x', 'x', '{{}}', '{{}}')"
        ),
    ] {
        world.database.execute(&sql).await.unwrap();
    }
    args
}

/// A message that got through before, to an endpoint that wants to be told of nothing.
async fn told(world: &World) -> WebhookDeliver {
    let args = WebhookDeliver::example();
    let (endpoint, delivery) = (args.endpoint.as_uuid(), args.delivery.as_uuid());
    let (message, tenant) = (JobId::new().as_uuid(), world.tenant.as_uuid());
    for sql in [
        format!(
            "insert into webhook_endpoint (id, tenant_id, url, event_types, secret, created_by)
             values ('{endpoint}', '{tenant}', 'https://example.com/', '{{none}}', '', 'x')"
        ),
        format!(
            "insert into webhook_message (id, tenant_id, type, subject, data, fanned_out_at)
             values ('{message}', '{tenant}', 'x', 'x', '{{}}', now())"
        ),
        format!(
            "insert into webhook_delivery (id, tenant_id, endpoint_id, message_id, state)
             values ('{delivery}', '{tenant}', '{endpoint}', '{message}', 'delivered')"
        ),
    ] {
        world.database.execute(&sql).await.unwrap();
    }
    args
}

/// The one part of a film that somebody waits for.
async fn waited_for(world: &World, asset: AssetId) -> VideoChunk {
    let chunk = VideoChunk { asset, until_group: None, ..VideoChunk::example() };
    let (workflow, tenant, film) = (chunk.parts.as_uuid(), world.tenant.as_uuid(), chunk.film.as_uuid());
    let sql = format!(
        "insert into film_parts (workflow_id, tenant_id, job_id) values ('{workflow}', '{tenant}', '{film}')"
    );
    world.database.execute(&sql).await.unwrap();
    chunk
}

/// A published delivery of one photograph, of which there is a picture.
async fn delivery(world: &World) -> DeliveryId {
    let delivery = DeliveryId::new();
    let asset = world.asset(photo("FreshFlower.jpg")).await;
    let original = media::asset(&world.api, world.tenant, asset).await.unwrap().unwrap();
    let stored =
        Stored { key: original.object_key.clone(), bytes: original.bytes as u64, width: None, height: None };
    let file = File {
        asset,
        name: "flower.jpg".to_owned(),
        media_type: original.media_type,
        mls: Some(stored.clone()),
        original: stored,
        print: None,
        mls_branded: None,
        print_branded: None,
        screen: None,
        grid: None,
        colours: None,
        is_withheld: false,
        film: None,
    };
    let manifest =
        serde_json::to_string(&Manifest { files: vec![file], variants: Variant::ALL.to_vec() }).unwrap();
    let (id, tenant, asset) = (delivery.as_uuid(), world.tenant.as_uuid(), asset.as_uuid());
    for sql in [
        format!(
            "insert into delivery (id, tenant_id, title, link_secret, expires_at, created_by, manifest, manifest_sha256,
                 published_at)
             values ('{id}', '{tenant}', 'x', sha256('x'), now() + interval '1 day', 'x', '{manifest}',
                 repeat('0', 64), now())"
        ),
        format!("insert into delivery_item (tenant_id, delivery_id, place, asset_id, name)
             values ('{tenant}', '{id}', 1, '{asset}', 'flower.jpg')"),
        format!(
            "insert into rendition (id, tenant_id, asset_id, source_sha256, preset, rung, format, width, height, bytes,
                 object_key)
             values (gen_random_uuid(), '{tenant}', '{asset}', 'x', 'listing@1', 'mls_2048', 'jpeg', 1, 1, 1, '{}')",
            original.object_key
        ),
    ] {
        world.database.execute(&sql).await.unwrap();
    }
    delivery
}

/// Somebody with an inbox.
async fn party(world: &World) -> PartyId {
    let terms = Terms { name: "Ada".into(), locale: "en".into(), timezone: None, quiet: None };
    let inbox = (ContactPointId::new(), [7; 32]);
    let (party, noted) = (PartyId::new(), |_| Answer::of(201, None, &()));
    parties::create(&world.api, world.tenant, party, &terms, inbox, None, noted).await.unwrap();
    party
}

/// A line that is about to be put into the inbox of `party`.
async fn line(world: &World, party: PartyId) -> MessageId {
    let message = MessageId::new();
    let (id, tenant, party) = (message.as_uuid(), world.tenant.as_uuid(), party.as_uuid());
    let sql = format!(
        "insert into message (id, tenant_id, party_id, contact_point_id, request_id, channel, category, template,
             template_version, locale, content_sha256, dedupe_key, state, decisions, scheduled_at)
         select '{id}', '{tenant}', '{party}', c.id, '{id}', 'in_app', 'operational', 'x', 0, 'en', 'x', 'x', 'planned', '[]',
             now() from contact_point c where c.party_id = '{party}'"
    );
    world.database.execute(&sql).await.unwrap();
    message
}

/// What the job left in the world, apart from ids and times.
async fn left_behind(world: &World, job: JobId) -> (i64, usize, serde_json::Value) {
    let rows = "select (select count(*) from rendition) + (select count(*) from film_file)";
    let rows = world.database.number(rows).await.unwrap();
    let objects = world.blobs.list("", 1_000).await.unwrap().objects.len();
    let mut result = world.job(job).await.result.unwrap().0.inline().unwrap().clone();
    for rendition in result["renditions"].as_array_mut().into_iter().flatten() {
        rendition["id"] = serde_json::Value::Null;
    }
    for page in result["pages"].as_array_mut().into_iter().flatten() {
        // The id of the photograph stands on it.
        *page = serde_json::Value::Null;
    }
    for message in result["messages"].as_array_mut().into_iter().flatten() {
        *message = serde_json::Value::Null;
    }
    result["reused"] = serde_json::Value::Null;
    result["attempt"] = serde_json::Value::Null;
    (rows, objects, result)
}

#[tokio::test]
async fn a_job_that_runs_twice_leaves_what_it_left_once() {
    let world = World::scanned().await;
    let _worker = world.start(&[]);
    for spec in jobs::specs() {
        let new = job_of(&world, spec.kind).await;
        let again = NewJob { id: JobId::new(), ..new.clone() };
        let first = world.enqueue(&[new]).await[0];
        world.reaches(first, State::Completed).await;
        let once = left_behind(&world, first).await;
        let second = world.enqueue(&[again]).await[0];
        world.reaches(second, State::Completed).await;
        assert_eq!(left_behind(&world, second).await, once, "{}", spec.kind);
    }
}

#[test]
fn a_worker_that_dies_anywhere_leaves_what_it_would_have_left_alive() {
    let kinds = Mutex::new(jobs::specs().iter());
    // Each has a thread to itself: whoever starts servers holds up everything else on it.
    let one_after_another = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        loop {
            let next = kinds.lock().unwrap().next();
            let Some(spec) = next else { break };
            runtime.block_on(dies_anywhere(spec.kind));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..KINDS_AT_ONCE {
            scope.spawn(one_after_another);
        }
    });
}

async fn dies_anywhere(kind: &str) {
    let world = World::scanned().await;
    let calm = world.start(&[]);
    let job = world.enqueue(&[job_of(&world, kind).await]).await[0];
    world.reaches(job, State::Completed).await;
    let expected = left_behind(&world, job).await;
    let jobs = all_ended(&world).await;
    calm.kill();

    for point in Point::ALL {
        let world = World::scanned().await;
        let name = point.to_possible_value().unwrap().get_name().to_owned();
        let doomed = world.start(&["--die-at", &name]);
        let job = world.enqueue(&[job_of(&world, kind).await]).await[0];
        testkit::eventually("the worker to die, or the job to end", SOON, || async {
            let ended = world.state(job).await == State::Completed;
            (ended || doomed.is_dead()).then_some(())
        })
        .await;
        let _heir = world.start(&[]);
        world.reaches(job, State::Completed).await;
        let mut left = left_behind(&world, job).await;
        // Another world has another tenant, whose name is in the keys.
        left.2 = masked(&left.2);
        assert_eq!(left, (expected.0, expected.1, masked(&expected.2)), "{kind} at {name}");
        world.all_done(jobs, SOON).await;
    }
}

/// Waits until nothing is left to do; answers how many jobs there were, with those that followed from others.
async fn all_ended(world: &World) -> i64 {
    testkit::eventually("every job to end", SOON, || async {
        let live = world.database.number("select count(*) from job").await.unwrap();
        (live == 0).then_some(())
    })
    .await;
    let ended = "select count(distinct job_id) from attempt where final_state is not null";
    world.database.number(ended).await.unwrap()
}

fn masked(result: &serde_json::Value) -> serde_json::Value {
    let mut result = result.clone();
    for named in [
        "alert",
        "asset",
        "booking",
        "delivery",
        "digest",
        "event",
        "feed",
        "invitation",
        "link",
        "manifest_sha256",
        "message",
        "offer",
        "request",
    ] {
        if result.get(named).is_some() {
            result[named] = serde_json::Value::Null;
        }
    }
    // The key of an archive has its delivery in it.
    if result.get("variant").is_some() {
        result["key"] = serde_json::Value::Null;
    }
    for list in ["renditions", "files"] {
        for made in result.get_mut(list).and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
            let key = made["key"].as_str().unwrap().split_once('/').unwrap().1.to_owned();
            made["key"] = key.into();
        }
    }
    result
}
