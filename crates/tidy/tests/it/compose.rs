//! docker-compose.yml describes a whole Crewline, in the order in which it has to start.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::workspace::{items, read, text};

fn compose() -> Value {
    serde_saphyr::from_str(&read("docker-compose.yml")).expect("docker-compose.yml is YAML")
}

fn service<'a>(compose: &'a Value, name: &str) -> &'a Value {
    let service = &compose["services"][name];
    assert!(service.is_object(), "docker-compose.yml has no service {name}");
    service
}

const WORKERS: [&str; 2] = ["workers-media", "workers-default"];

#[test]
fn every_part_is_a_service() {
    let compose = compose();
    let services: BTreeSet<&str> =
        compose["services"].as_object().expect("services").keys().map(String::as_str).collect();
    let wanted = ["postgres", "redis", "s3", "clamd", "bucket", "migrate", "api", WORKERS[0], WORKERS[1]];
    assert_eq!(services, BTreeSet::from(wanted));
}

#[test]
fn everything_that_stays_up_is_asked_whether_it_is_well() {
    let compose = compose();
    for name in ["postgres", "redis", "s3", "clamd", WORKERS[0], WORKERS[1]] {
        let check = &service(&compose, name)["healthcheck"];
        assert!(check["test"].is_array() && check["interval"].is_string(), "{name} needs a healthcheck");
    }
    // The image asks the api by itself.
    assert!(service(&compose, "api")["healthcheck"].is_null(), "api is asked as the image says");
    assert!(
        read("Dockerfile").contains("HEALTHCHECK")
            && read("Dockerfile").contains("[\"api\", \"healthcheck\"]")
    );
    assert_eq!(service(&compose, "migrate")["healthcheck"]["disable"], true, "migrate ends; nobody asks it");
}

#[test]
fn nothing_starts_before_what_it_needs() {
    let compose = compose();
    let waits = [
        ("bucket", "s3", "service_healthy"),
        ("migrate", "postgres", "service_healthy"),
        ("api", "migrate", "service_completed_successfully"),
        ("api", "bucket", "service_completed_successfully"),
    ];
    let workers_wait = WORKERS.into_iter().flat_map(|name| {
        [
            (name, "migrate", "service_completed_successfully"),
            (name, "bucket", "service_completed_successfully"),
            (name, "redis", "service_healthy"),
        ]
    });
    for (name, other, condition) in waits.into_iter().chain(workers_wait) {
        let found = &service(&compose, name)["depends_on"][other]["condition"];
        assert_eq!(found.as_str(), Some(condition), "{name} has to wait for {other}");
    }
}

#[test]
fn the_virus_scanner_is_told_the_same_everywhere() {
    let told = text(&compose()["configs"]["clamd"]["content"]).to_owned();
    let wanted = read("dev.d/clamd.conf");
    let mut lines = wanted.lines().filter(|line| !line.starts_with('#')).peekable();
    assert!(lines.peek().is_some(), "dev.d/clamd.conf says something");
    for line in lines {
        assert!(told.lines().any(|other| other == line), "docker-compose.yml should tell clamd {line:?}");
    }
}

#[test]
fn a_worker_gets_longer_to_stop_than_it_takes() {
    let settings = read("workers/src/config.rs");
    let grace_s: u64 = settings
        .split("\"CREWLINE_GRACE_S\", default_value_t = ")
        .nth(1)
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .expect("CREWLINE_GRACE_S has a default");
    let compose = compose();
    for name in WORKERS {
        let seconds =
            text(&service(&compose, name)["stop_grace_period"]).trim_end_matches('s').parse::<u64>();
        // What is settled and said last may take 5 s each after the grace (workers/src/runtime.rs).
        assert!(
            seconds.is_ok_and(|seconds| seconds >= grace_s + 10),
            "{name}: stop_grace_period of {grace_s} + 10 s at least"
        );
    }
}

#[test]
fn nothing_is_published_beyond_this_machine() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().expect("services") {
        for port in items(&service["ports"]) {
            assert!(text(port).starts_with("127.0.0.1:"), "{name} publishes {port}");
        }
    }
}

/// Whether a program has a subcommand: a variant of the enum that clap reads.
fn has_command(program: &str, command: &str) -> bool {
    let config = read(&format!("{program}/src/config.rs"));
    let variant: String = command[..1].to_uppercase() + &command[1..];
    config.lines().any(|line| {
        let rest = line.trim_start().strip_prefix(&variant);
        rest.is_some_and(|rest| rest.starts_with(['(', ',', ' ']))
    })
}

#[test]
fn the_commands_that_start_us_exist() {
    let compose = compose();
    let mut called: Vec<(String, String)> = Vec::new();
    for service in compose["services"].as_object().expect("services").values() {
        for list in [&service["command"], &service["healthcheck"]["test"]] {
            let words: Vec<&str> =
                items(list).filter_map(Value::as_str).filter(|word| *word != "CMD").collect();
            if let [program @ ("api" | "workers"), command, ..] = words[..] {
                called.push((program.to_owned(), command.to_owned()));
            }
        }
    }
    for line in read("Procfile").lines().filter_map(|line| line.split_once(": ")) {
        if let Some((program, rest)) = line.1.split_once(' ') {
            called.push((program.to_owned(), rest.split(' ').next().unwrap_or_default().to_owned()));
        }
    }
    called.push(("api".to_owned(), "healthcheck".to_owned()));
    for (program, command) in called {
        assert!(has_command(&program, &command), "{program} has no command {command}");
    }
}
