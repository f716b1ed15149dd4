//! What the page of a job shows of what came of it.

use api::UserRole;
use blob::Key;
use jobs::{
    AssetId, Job, MatchRequestId, MessageId, PartyId, Queue, WebhookDeliveryId, WebhookEndpointId,
    kinds::{
        match_rank::MatchRank, media_contact_sheet::MediaContactSheet, media_rendition::MediaRendition,
        notify_send::NotifySend, probe_work::ProbeWork, video_transcode::VideoTranscode,
        webhook_deliver::WebhookDeliver,
    },
};
use matching::{Factors, Hours, Past, Point, Preferred, Ranked, Ranking, Span, Terms, Visit};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{
    StoreError,
    enqueue::{self, NewJob},
    settle,
    verdict::{Settle, Verdict},
};

use crate::{
    app::{TestApp, completed},
    ops::Person,
    private_fields::show_private,
};

/// The path of a job that was done with this result.
async fn done(app: &TestApp, args: &impl Job, result: Value) -> String {
    // Tests take from one queue.
    let new = NewJob { queue: Queue::Default, ..NewJob::of(args).unwrap() };
    let path = format!("/ops/t/acme/jobs/{}", new.id);
    app.worker
        .transact(Some(app.tenant), async |tx| {
            enqueue::insert(&app.worker, tx, app.tenant, std::slice::from_ref(&new)).await?;
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
    assert_eq!(app.work(Verdict::Completed { result: result.into() }).await, 1);
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_shown_once_they_are_clean_to_those_who_may_see_payloads() {
    let app = TestApp::start().await;
    let viewer = |sees| [(Some(app.tenant), UserRole::Viewer, sees)];
    let ann = Person::signed_in(&app, "ann", &viewer(true)).await;
    let bob = Person::signed_in(&app, "bob", &viewer(false)).await;
    let (asset, tenant) = (AssetId::new(), app.tenant.as_uuid());
    let key = Key::original(&app.tenant.to_string(), &"0".repeat(64)).unwrap();
    app.execute(&format!(
        "insert into asset (id, tenant_id, sha256, bytes, media_type, object_key)
         values ('{}', '{tenant}', repeat('0', 64), 1, 'image/jpeg', '{key}')",
        asset.as_uuid()
    ))
    .await;
    for (preset, rung, width) in
        [("listing@1", "grid_320", 320), ("listing@1", "mls_2048", 2048), ("print@1", "print", 4500)]
    {
        app.execute(&format!(
            "insert into rendition (id, tenant_id, asset_id, source_sha256, preset, rung, format, width, height, bytes,
                 object_key)
             values (gen_random_uuid(), '{tenant}', '{}', 'x', '{preset}', '{rung}', 'jpeg', {width}, 200, 1234, '{key}')",
            asset.as_uuid()
        ))
        .await;
    }
    let args = MediaRendition { asset, preset: "listing@1".into(), branded: false };
    let result = json!({
        "asset": asset, "preset": "listing@1", "width": 1, "height": 1, "thumbhash": "", "reused": false, "renditions": [],
    });
    let path = done(&app, &args, result).await;
    assert!(!ann.page(&path).await.1.contains("What came of it"), "nobody has scanned it");
    app.execute("update asset set state = 'clean', scanned_at = now()").await;
    let shown = ann.request(Method::GET, &path).send().await.unwrap();
    let csp = shown.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let page = shown.text().await.unwrap();
    assert!(page.contains("grid_320 jpeg, 320 × 200, 1,234 bytes") && page.contains("mls_2048"), "{page}");
    assert!(!page.contains("print jpeg"), "another preset: {page}");
    let from = page.split("<img src=\"").nth(1).unwrap().split('/').take(3).collect::<Vec<_>>().join("/");
    assert!(csp.contains(&format!("img-src 'self' {from}; media-src 'self' {from}")), "{csp}");
    assert!(!bob.page(&path).await.1.contains("What came of it"));
    let other = ann.request(Method::GET, "/ops/t/acme").send().await.unwrap();
    assert!(!other.headers()["content-security-policy"].to_str().unwrap().contains("media-src"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_a_contact_sheet_are_shown_as_long_as_they_are_there() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, true)]).await;
    let (kept, gone, tenant) = (AssetId::new(), AssetId::new(), app.tenant.as_uuid());
    let key = Key::original(&app.tenant.to_string(), &"0".repeat(64)).unwrap();
    app.execute(&format!(
        "insert into asset (id, tenant_id, sha256, bytes, media_type, object_key, state, scanned_at)
         values ('{}', '{tenant}', repeat('0', 64), 1, 'image/jpeg', '{key}', 'clean', now())",
        kept.as_uuid()
    ))
    .await;
    let args = MediaContactSheet { assets: vec![AssetId::new()], ..MediaContactSheet::example() };
    let page = |asset: AssetId| json!({ "asset": asset, "bytes": 5_678, "key": key.to_string() });
    let path = done(&app, &args, json!({ "pages": [page(kept), page(gone)] })).await;
    let shown = ann.page(&path).await.1;
    assert!(shown.contains("Page 1, 5,678 bytes") && shown.contains("2 pages."), "{shown}");
    assert!(!shown.contains("Page 2"), "it was deleted: {shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_film_is_played_in_each_quality_by_those_who_may_see_payloads() {
    let app = TestApp::start().await;
    let viewer = |sees| [(Some(app.tenant), UserRole::Viewer, sees)];
    let ann = Person::signed_in(&app, "ann", &viewer(true)).await;
    let bob = Person::signed_in(&app, "bob", &viewer(false)).await;
    let (asset, tenant, preset) = (AssetId::new(), app.tenant.as_uuid(), VideoTranscode::default_preset());
    let key = |name: &str| format!("{}/r/{}/listing_video=1/{name}", app.tenant, "0".repeat(64));
    let id = asset.as_uuid();
    app.execute(&format!(
        "insert into asset (id, tenant_id, sha256, bytes, media_type, object_key, state, scanned_at)
         values ('{id}', '{tenant}', repeat('0', 64), 1, 'video/mp4', '{}', 'clean', now())",
        key("x")
    ))
    .await;
    app.execute(&format!(
        "insert into film (tenant_id, asset_id, preset, source_sha256, width, height, duration_ms, rungs, details)
         values ('{tenant}', '{id}', '{preset}', 'x', 640, 480, 1000, '[]', '{{}}')"
    ))
    .await;
    for (name, kind, media_type) in [
        ("master.m3u8", "master", "application/vnd.apple.mpegurl"),
        ("480p.m3u8", "playlist", "application/vnd.apple.mpegurl"),
        ("360p.m3u8", "playlist", "application/vnd.apple.mpegurl"),
        ("film.mp4", "progressive", "video/mp4"),
    ] {
        app.execute(&format!(
            "insert into film_file (tenant_id, asset_id, preset, name, kind, media_type, bytes, object_key)
             values ('{tenant}', '{id}', '{preset}', '{name}', '{kind}', '{media_type}', 1, '{}')",
            key(name)
        ))
        .await;
    }
    let stream = |height| format!("#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x{height}\n{height}p.m3u8\n");
    let master = format!("#EXTM3U\n{}{}", stream(480), stream(360));
    let at = Key::parse(&key("master.m3u8")).unwrap();
    app.blobs.put(&at, master.clone().into(), "application/vnd.apple.mpegurl", "no-store").await.unwrap();
    let result = json!({
        "asset": asset, "preset": preset, "width": 640, "height": 480, "duration_ms": 1000, "reused": false, "rungs": [],
        "files": [],
    });
    let path = done(&app, &VideoTranscode { asset, preset }, result).await;
    let page = ann.page(&path).await.1;
    let whole = format!("{path}/film/master.m3u8");
    assert!(page.contains(&format!("<source src=\"{whole}\"")) && page.contains("/d/film.js"), "{page}");
    assert!(page.contains(&format!("{whole}?quality=480p")), "{page}");
    assert_eq!(ann.page(&whole).await, (StatusCode::OK, master));
    let one = ann.page(&format!("{whole}?quality=360p")).await.1;
    assert_eq!(one, format!("#EXTM3U\n{}", stream(360)));
    let file = ann.request(Method::GET, &format!("{path}/film/film.mp4")).send().await.unwrap();
    assert_eq!(file.status(), StatusCode::SEE_OTHER);
    assert!(file.headers()["location"].to_str().unwrap().contains("/film.mp4?"));
    for unknown in [format!("{whole}?quality=720p"), format!("{path}/film/other.mp4")] {
        assert_eq!(ann.page(&unknown).await.0, StatusCode::NOT_FOUND, "{unknown}");
    }
    assert_eq!(bob.page(&whole).await.0, StatusCode::NOT_FOUND);
    app.execute("update asset set state = 'infected'").await;
    assert_eq!(ann.page(&whole).await.0, StatusCode::NOT_FOUND, "it may not be served any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_read_and_attempts_to_tell_are_listed() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, true)]).await;
    let (message, tenant) = (MessageId::new(), app.tenant.as_uuid());
    let (endpoint, delivery) = (WebhookEndpointId::new(), WebhookDeliveryId::new());
    let (id, of, to) = (message.as_uuid(), endpoint.as_uuid(), delivery.as_uuid());
    for sql in [
        format!("insert into party (id, tenant_id, name, locale) values ('{id}', '{tenant}', 'Ada', 'en')"),
        format!(
            "insert into message (id, tenant_id, party_id, request_id, channel, category, template, template_version, locale,
                 content_sha256, dedupe_key, state, decisions, scheduled_at, content, cost_amount, cost_currency)
             values ('{id}', '{tenant}', '{id}', '{id}', 'sms', 'critical', 'reminder', 0, 'en', 'x', 'x', 'sent',
                 '[{{\"rule\": 3, \"said\": \"held until 08:00, quiet hours in Europe/Zagreb\"}}]', now(),
                 '{{\"sms\": {{\"text\": \"Monday <9>\"}}}}', 0.00750, 'USD')"
        ),
        format!(
            "insert into webhook_endpoint (id, tenant_id, url, event_types, secret, created_by)
             values ('{of}', '{tenant}', 'https://example.com/', '{{x}}', 'x', 'x')"
        ),
        format!(
            "insert into webhook_message (id, tenant_id, type, subject, data, fanned_out_at)
             values ('{id}', '{tenant}', 'x', 'x', '{{}}', now())"
        ),
        format!(
            "insert into webhook_delivery (id, tenant_id, endpoint_id, message_id, attempts)
             values ('{to}', '{tenant}', '{of}', '{id}', 1)"
        ),
        format!(
            "insert into webhook_attempt (tenant_id, delivery_id, number, status, error, took_ms, answer)
             values ('{tenant}', '{to}', 1, 503, 'it answered 503', 4321, 'come <later>')"
        ),
        format!(
            "insert into effect (tenant_id, key, try, message_id, job_id, state, provider)
             values ('{tenant}', 'x', 3, '{id}', '{id}', 'begun', 'carrier <1>')"
        ),
    ] {
        app.execute(&sql).await;
    }
    let sent = done(&app, &NotifySend { message }, json!({ "message": message, "state": "sent" })).await;
    assert!(!ann.page(&sent).await.1.contains("Monday"), "what somebody is told is private");
    show_private(&app, &ann).await;
    let page = ann.page(&sent).await.1;
    assert!(page.contains("Monday &lt;9&gt;") && page.contains(&format!("/messages/{message}")), "{page}");
    for effect in ["<h3>Tries</h3>", "<td class=\"number\">3</td>", "carrier &lt;1&gt;", "begun"] {
        assert!(page.contains(effect), "{effect}: {page}");
    }
    let page = ann.page(&format!("/ops/t/acme/messages/{message}")).await.1;
    assert!(page.contains("held until 08:00, quiet hours in Europe/Zagreb"), "{page}");
    assert!(page.contains("<dt>Cost</dt><dd>0.00750 USD</dd>"), "{page}");
    let told = done(&app, &WebhookDeliver { endpoint, delivery }, json!({ "delivery": delivery })).await;
    let page = ann.page(&told).await.1;
    assert!(
        page.contains("it answered 503") && page.contains("come &lt;later&gt;") && page.contains("4,321"),
        "{page}"
    );
    assert!(page.contains(&format!("/webhooks/out/{endpoint}")), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_ranked_is_called_by_name_and_others_names_stay_theirs() {
    let app = TestApp::start().await;
    let roles = |sees| [(Some(app.tenant), UserRole::Viewer, sees)];
    let ann = Person::signed_in(&app, "ann", &roles(true)).await;
    let bob = Person::signed_in(&app, "bob", &roles(false)).await;
    let (request, ours, theirs) = (MatchRequestId::new(), PartyId::new(), PartyId::new());
    let other = store::keys::create_tenant(&app.owner, "other", "Other").await.unwrap();
    for (party, tenant, name) in [(ours, app.tenant, "Ada <b>"), (theirs, other, "Grace")] {
        app.execute(&format!(
            "insert into party (id, tenant_id, name, locale) values ('{}', '{}', '{name}', 'en')",
            party.as_uuid(),
            tenant.as_uuid()
        ))
        .await;
    }
    let one = |party| Ranked {
        party,
        version: 1,
        score: 9_876,
        factors: Factors { availability: 1, preferred: 1, reliability: 1, distance: 1, skill: 1 },
        preferred: Preferred::No,
        past: Past::default(),
        metres: None,
        radius_m: 1,
        travel_minutes: 1,
        week_minutes: 1,
        last_offered_at: None,
        flags: Vec::new(),
    };
    let ranked = vec![one(ours), one(theirs)];
    let ranking = Ranking { terms: Terms::VREM, ranked, excluded: Vec::new(), is_cut: false };
    let now = chrono::Utc::now();
    let visit = Visit {
        during: Span { from: now, until: now },
        before_minutes: 0,
        after_minutes: 0,
        place: Point::new(52.5, 13.4),
        role: "x".into(),
        skills: Vec::new(),
        site: None,
    };
    let (id, tenant) = (request.as_uuid(), app.tenant.as_uuid());
    app.execute(&format!(
        "insert into match_request (id, tenant_id, reference, visit, terms, in_batch, state, created_by)
             values ('{id}', '{tenant}', 'x', '{}', '{}', false, 'offered', 'x');
         insert into membership (tenant_id, party_id, account_id, is_active, roles, skills, timezone, hours, latitude, longitude,
                 reach, radius_m, is_preferred)
             values ('{tenant}', '{}', gen_random_uuid(), true, '{{}}', '[]', 'UTC', '{}', 52.6, 13.4, box '((0,0),(1,1))', 1, false);
         insert into match_receipt (tenant_id, request_id, round, receipt) values ('{tenant}', '{id}', 1, '{}')",
        serde_json::to_string(&visit).unwrap(),
        serde_json::to_string(&Terms::VREM).unwrap(),
        ours.as_uuid(),
        serde_json::to_string(&Hours::default()).unwrap(),
        serde_json::to_string(&ranking).unwrap()
    ))
    .await;
    let result = json!({ "request": request, "round": 1, "ranked": 2, "excluded": 0, "offer": null });
    let path = done(&app, &MatchRank { request, round: 1 }, result).await;
    let page = ann.page(&path).await.1;
    assert!(page.contains("Ada &lt;b&gt;") && page.contains(&ours.to_string()), "{page}");
    assert!(!page.contains("Grace") && page.contains(&theirs.to_string()), "{page}");
    assert!(!page.contains("ranked around it"), "where people live is private");
    show_private(&app, &ann).await;
    let page = ann.page(&path).await.1;
    assert!(page.contains("1 of those who were ranked around it; the edge is 11.1 km away"), "{page}");
    let page = bob.page(&path).await.1;
    assert!(!page.contains("Ada") && !page.contains(&ours.to_string()), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_followed_from_a_job_is_found_from_both_ends() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let parent = app.submit(json!({})).await;
    let claimed = app.claim().await;
    let follow = NewJob { queue: Queue::Default, ..NewJob::of(&ProbeWork::example()).unwrap() };
    let settled = Settle::of(&claimed[0], completed());
    let follow_ups = std::slice::from_ref(&follow);
    assert!(settle::settle_with(&app.worker, &settled, follow_ups, &[]).await.unwrap());
    settle::drop_done(&app.worker, &[claimed[0].lease]).await.unwrap();
    let page = ann.page(&format!("/ops/t/acme/jobs/{parent}")).await.1;
    assert!(page.contains("followed") && page.contains(&format!("/jobs/{}", follow.id)), "{page}");
    assert!(page.contains("available"), "{page}");
    let page = ann.page(&format!("/ops/t/acme/jobs/{}", follow.id)).await.1;
    assert!(page.contains("led to it") && page.contains(&format!("/jobs/{parent}")), "{page}");
    let alone = app.submit(json!({})).await;
    let page = ann.page(&format!("/ops/t/acme/jobs/{alone}")).await.1;
    assert!(!page.contains("led to it"), "{page}");
}
