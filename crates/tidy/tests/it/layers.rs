//! Who may depend on whom, and which crate alone may name a heavy library.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::workspace::{files_with, items, members, metadata, none_of, packages, read, strings, text};

/// Our crates and those of ours that each may lean on. ARCHITECTURE.md shows the same table.
const MAY_USE: &[(&str, &[&str])] = &[
    ("jobs", &[]),
    ("schedule", &[]),
    ("sniff", &[]),
    ("notify", &["jobs", "schedule"]),
    ("matching", &["jobs", "schedule"]),
    ("calendar", &["jobs", "matching", "schedule"]),
    ("places", &["jobs", "matching", "schedule"]),
    ("store", &["jobs", "matching", "schedule"]),
    ("queue", &["jobs"]),
    ("blob", &[]),
    ("media", &["sniff"]),
    ("video", &[]),
    ("webhooks", &[]),
    ("outbound", &["webhooks"]),
    ("telemetry", &[]),
    ("payloads", &["blob", "jobs", "store"]),
    ("settings", &["blob", "store", "telemetry"]),
    (
        "api",
        &[
            "blob",
            "calendar",
            "jobs",
            "matching",
            "notify",
            "outbound",
            "payloads",
            "schedule",
            "settings",
            "sniff",
            "store",
            "telemetry",
            "webhooks",
        ],
    ),
    (
        "workers",
        &[
            "blob",
            "calendar",
            "jobs",
            "matching",
            "media",
            "notify",
            "outbound",
            "payloads",
            "places",
            "queue",
            "schedule",
            "settings",
            "store",
            "telemetry",
            "video",
            "webhooks",
        ],
    ),
    ("client", &[]),
    ("cli", &["client"]),
    ("testkit", &["blob", "jobs", "store"]),
    ("faults", &["jobs", "model", "store", "testkit"]),
    ("bench", &["testkit"]),
    ("model", &["jobs"]),
    ("simulate", &["jobs", "store", "testkit"]),
    ("tidy", &[]),
];

/// Libraries, or families of them (`aws-*`), and the crates of ours that may name them.
const NAMED_BY: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("croner", &["schedule"]),
    ("chrono-tz", &["schedule"]),
    ("apalis*", &["queue"]),
    ("redis", &["queue"]),
    ("aws-*", &["blob"]),
    ("s3s*", &["blob"]),
    ("image", &["media"]),
    ("turbojpeg", &["media"]),
    ("libwebp-sys", &["media"]),
    ("libheif-*", &["media"]),
    ("fast_image_resize", &["media"]),
    ("moxcms", &["media"]),
    ("thumbhash", &["media"]),
    ("ab_glyph", &["media"]),
    ("dejavu", &["media"]),
    ("kamadak-exif", &["media"]),
    ("ffmpeg-*", &["video"]),
    ("ebur128", &["video"]),
    ("m3u8-rs", &["video"]),
    ("utoipa*", &["api"]),
    ("openidconnect", &["api"]),
    ("axum", &["api", "workers"]),
    ("reqwest", &["client", "telemetry", "faults", "outbound", "workers"]),
    ("lettre", &["workers"]),
    ("calcard", &["calendar"]),
    ("rrule", &["calendar"]),
    ("tzf-rs", &["places"]),
    ("roxmltree", &["workers"]),
    ("async-imap", &["workers"]),
    ("mail-parser", &["notify"]),
    ("minijinja", &["notify"]),
    ("mrml", &["notify"]),
    ("opentelemetry*", &["telemetry"]),
    ("stateright", &["model"]),
];

/// The only files of `workers` that may name axum: it answers supervisors, nobody else.
const WORKERS_HTTP: &[&str] = &["workers/src/health.rs", "workers/src/runtime.rs"];

/// What would bring a second TLS provider. docs/decisions/0007-one-tls-provider.md says why there is one.
const OTHER_TLS: &[&str] = &["aws-lc-rs", "aws-lc-sys", "aws-lc-fips-sys", "openssl-sys", "native-tls"];

/// What `jobs` must not have anywhere beneath it.
const NEVER_UNDER_JOBS: &[&str] =
    &["tokio", "sqlx", "sqlx-core", "reqwest", "hyper", "redis", "axum", "mio", "futures"];

/// The names of what `package` needs to be built, without its tests.
fn needs(package: &Value) -> BTreeSet<&str> {
    items(&package["dependencies"])
        .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
        .map(|dependency| text(&dependency["name"]))
        .collect()
}

fn ours() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let members = members();
    packages()
        .filter(|package| package["source"].is_null() && members.contains(text(&package["name"])))
        .map(|package| (text(&package["name"]), needs(package)))
        .collect()
}

#[test]
fn our_crates_lean_only_on_those_beneath_them() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut broken = Vec::new();
    let ours = ours();
    for (name, needs) in &ours {
        let Some(may) = table.get(name) else {
            broken
                .push(format!("{name} is not in the table: say in ARCHITECTURE.md and here what it may use"));
            continue;
        };
        let wrong = needs.iter().filter(|needed| ours.contains_key(*needed) && !may.contains(needed));
        broken.extend(wrong.map(|needed| format!("{name} must not depend on {needed}")));
    }
    broken.extend(
        table.keys().filter(|name| !ours.contains_key(*name)).map(|name| format!("{name} does not exist")),
    );
    none_of(
        &broken,
        "A new edge needs a decision record and a line in the table of crates/tidy/tests/it/layers.rs.",
    );
}

#[test]
fn the_table_in_architecture_md_is_the_one_enforced() {
    let text = read("ARCHITECTURE.md");
    for (name, may) in MAY_USE {
        let may: Vec<String> = may.iter().map(|name| format!("`{name}`")).collect();
        let may = if may.is_empty() { "nothing of ours".to_owned() } else { may.join(", ") };
        let row = format!("| `{name}` | {may} |");
        assert!(text.contains(&row), "ARCHITECTURE.md should have the row\n  {row} …");
    }
}

#[test]
fn a_heavy_library_is_named_by_one_crate() {
    let mut broken = Vec::new();
    for (name, needs) in ours() {
        for (library, by) in NAMED_BY {
            let is_it = |needed: &str| match library.strip_suffix('*') {
                Some(family) => needed.starts_with(family),
                None => needed == *library,
            };
            if !by.contains(&name) {
                broken.extend(
                    needs
                        .iter()
                        .filter(|needed| is_it(needed))
                        .map(|needed| format!("{name} names {needed}, which only {} may", by.join(" and "))),
                );
            }
        }
    }
    none_of(&broken, "Swapping a heavy library has to be a change of one crate.");
}

#[test]
fn workers_speak_http_to_supervisors_only() {
    let broken: Vec<String> = files_with("rs")
        .filter(|name| name.starts_with("workers/src/") && !WORKERS_HTTP.contains(name))
        .filter(|name| read(name).contains("axum"))
        .map(str::to_owned)
        .collect();
    none_of(&broken, "Work comes in through the ledger. These files name axum:");
}

#[test]
fn jobs_has_no_runtime_and_no_io_beneath_it() {
    let beneath = beneath("jobs");
    let broken: Vec<String> =
        NEVER_UNDER_JOBS.iter().filter(|name| beneath.contains(**name)).map(ToString::to_string).collect();
    none_of(&broken, "Every crate leans on jobs, so it must stay small. It has beneath it:");
}

#[test]
fn there_is_one_tls_provider() {
    let broken: Vec<String> = packages()
        .map(|package| text(&package["name"]))
        .filter(|name| OTHER_TLS.contains(name))
        .map(str::to_owned)
        .collect();
    none_of(&broken, "ring is the one TLS provider (docs/decisions/0007-one-tls-provider.md). Also there:");
}

/// With this feature the first heartbeat over a running task ends the worker (apalis-redis 1.0.0).
#[test]
fn apalis_does_not_track_tasks() {
    let id =
        packages().find(|package| text(&package["name"]) == "apalis-redis").map(|package| &package["id"]);
    let id = id.expect("apalis-redis is in the graph");
    let node = items(&metadata()["resolve"]["nodes"]).find(|node| &node["id"] == id);
    let features: Vec<&str> =
        strings(&node.expect("a package of the graph has a node")["features"]).collect();
    assert!(!features.contains(&"task-tracking"), "apalis-redis is built with {features:?}");
}

#[test]
fn deny_toml_knows_the_same_owners() {
    let deny: toml::Value = toml::from_str(&read("deny.toml")).expect("deny.toml is TOML");
    let members = members();
    let bans = deny["bans"]["deny"].as_array().expect("deny.toml has bans");
    let mut broken = Vec::new();
    for ban in bans {
        let (Some(name), Some(wrappers)) = (ban["crate"].as_str(), ban.get("wrappers")) else { continue };
        let wrappers: BTreeSet<&str> =
            wrappers.as_array().into_iter().flatten().filter_map(toml::Value::as_str).collect();
        let ours: BTreeSet<&str> =
            wrappers.into_iter().filter(|wrapper| members.contains(*wrapper)).collect();
        let owners = NAMED_BY.iter().find(|(library, _)| {
            library.strip_suffix('*').map_or(*library == name, |family| name.starts_with(family))
        });
        if let Some((_, owners)) = owners
            && ours != owners.iter().copied().collect()
        {
            broken.push(format!("deny.toml lets {ours:?} name {name}, the table here {owners:?}"));
        }
    }
    none_of(&broken, "deny.toml and crates/tidy/tests/it/layers.rs have to agree.");
}

/// The names of everything that is built when `name` is built.
fn beneath(name: &str) -> BTreeSet<&'static str> {
    let names: BTreeMap<&str, &str> =
        packages().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let nodes: BTreeMap<&str, &Value> =
        items(&metadata()["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
    let mut seen = BTreeSet::new();
    let mut ahead: Vec<&str> = names.iter().filter(|(_, named)| **named == name).map(|(id, _)| *id).collect();
    while let Some(id) = ahead.pop() {
        if !seen.insert(id) {
            continue;
        }
        for dependency in items(&nodes[id]["deps"]) {
            let for_tests_only = items(&dependency["dep_kinds"]).all(|kind| strings_eq(&kind["kind"], "dev"));
            if !for_tests_only {
                ahead.push(text(&dependency["pkg"]));
            }
        }
    }
    seen.into_iter().map(|id| names[id]).collect()
}

fn strings_eq(value: &Value, wanted: &str) -> bool {
    value.as_str() == Some(wanted)
}

#[test]
fn nothing_that_ships_depends_on_test_crates() {
    let broken: Vec<String> = ["api", "cli", "workers"]
        .into_iter()
        .flat_map(|name| {
            let beneath = beneath(name);
            ["bench", "faults", "model", "simulate", "testkit", "tidy"]
                .into_iter()
                .filter(move |test| beneath.contains(test))
                .map(move |test| format!("{name} → {test}"))
        })
        .collect();
    none_of(&broken, "Test crates are for tests.");
    assert!(strings(&metadata()["workspace_members"]).count() >= MAY_USE.len());
}
