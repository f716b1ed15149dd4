//! F31: workers that are killed at each named point of sending a mail.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::SmtpServer;

use super::Ended;
use crate::{
    client::Client,
    figure::Figure,
    stage::{Stage, until},
    world::{Scene, World},
};

const POINTS: [&str; 5] = ["before-effect", "before-call", "after-call", "before-settle", "after-settle"];
/// Processes that die at a time: as many as one notification has recipients.
const AT_A_TIME: usize = 20;
const LEASE: Duration = Duration::from_millis(800);
const SWEEP: Duration = Duration::from_millis(200);
const SOON: Duration = Duration::from_mins(1);
/// Workers look for messages whose job has ended half a minute after their time.
const SETTLED: Duration = Duration::from_mins(2);

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let wanted = stage.pace.pick(2, 200, 200);
    let world = World::set(stage, Scene { lease: LEASE, sweep: SWEEP, ..Scene::of(stage)? }).await?;
    let smtp = tokio::task::block_in_place(SmtpServer::start)?;
    let address = smtp.address();
    let mail = ["--smtp-address", &address, "--smtp-tls", "none", "--mail-from", "Acme <hello@acme.example>"];
    let client = world.tenant("acme").await?;
    let (mut figures, mut told) = (Vec::new(), 0);
    for point in POINTS {
        let mut deaths = 0;
        while deaths < wanted {
            let count = AT_A_TIME.min(wanted - deaths);
            stage.say(&format!("{point}: {deaths} of {wanted} died"));
            plan(&world, &client, told..told + count, &mail).await?;
            told += count;
            let one_each = [
                "--die-at",
                point,
                "--queues",
                "default",
                "--concurrency",
                "default=1",
                "--sweep-ms",
                "600000",
            ];
            deaths += world.die(&[&one_each[..], &mail].concat(), count).await?;
            let _heir = world.workers(1, &mail).await?;
            world.quiet(SOON).await?;
        }
        figures.push(Figure::at_least(format!("deaths {point}"), deaths, wanted));
    }
    stage.say("what no job will send any more");
    let _worker = world.workers(1, &mail).await?;
    until("every message to be settled", SETTLED, || async {
        let open = "select count(*) from message where state in ('planned', 'sending')";
        (world.number(open).await.ok()? == 0).then_some(())
    })
    .await?;
    figures.splice(0..0, judged(&world, &client, &smtp, told).await?);
    Ok(Ended::Seen(figures))
}

/// Somebody for each of `numbers`, and a notification of all of them that is decided about and waits to be sent.
async fn plan(
    world: &World,
    client: &Client,
    numbers: std::ops::Range<usize>,
    mail: &[&str],
) -> anyhow::Result<()> {
    let mut recipients = Vec::new();
    for number in numbers.clone() {
        let name = format!("Ada {number}");
        let party = made(client, "/v1/parties", &name, &json!({ "name": name })).await?;
        let id = party["id"].as_str().unwrap_or_default().to_owned();
        let contact =
            json!({ "channel": "email", "address": format!("ada{number}@example.test"), "verified": true });
        client.change(Method::POST, &format!("/v1/parties/{id}/contact-points"), &contact).await?;
        recipients.push(id);
    }
    let hold = json!({ "kind": "notify.send", "reason": "until all of them are decided about" });
    let pause = client.change(Method::POST, "/v1/pauses", &hold).await?;
    let notification = json!({
        "recipients": recipients, "template": "reminder", "category": "operational", "channels": ["email"],
        "variables": { "name": "Ada", "address": "12 Elm Street", "starts": "Monday, 09:00" },
    });
    made(client, "/v1/notifications", &format!("from {}", numbers.start), &notification).await?;
    let planner = world.workers(1, mail).await?;
    until("all of them to be decided about", SOON, || async {
        let waiting = world.number("select count(*) from job where kind = 'notify.send'").await.ok()?;
        (waiting == recipients.len()).then_some(())
    })
    .await?;
    drop(planner);
    let path = format!("/v1/pauses/{}", pause["id"].as_str().unwrap_or_default());
    client.change(Method::DELETE, &path, &Value::Null).await?;
    Ok(())
}

/// What is made of `body`, under `key`.
async fn made(client: &Client, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
    let told = client.submit(path, key, body, SOON).await;
    let answer = told.answer.filter(|(status, _)| status.is_success());
    answer.map(|(_, body)| body).with_context(|| format!("POST {path} was not answered well"))
}

/// What the mail server has, held against what the ledger says of each message.
async fn judged(
    world: &World,
    client: &Client,
    smtp: &SmtpServer,
    told: usize,
) -> anyhow::Result<Vec<Figure>> {
    let mut mails: HashMap<String, usize> = HashMap::new();
    for kept in smtp.kept()? {
        *mails.entry(kept.recipient).or_default() += 1;
    }
    let states = "select coalesce(jsonb_object_agg(c.address, m.state), '{}')
                  from message m join contact_point c on c.id = m.contact_point_id where m.channel = 'email'";
    let states = world.database.json(states).await?;
    let states: HashMap<String, String> = serde_json::from_value(states)?;
    let of = |state: &str| states.values().filter(|is| *is == state).count();
    let known_not_to_be = |address: &&String| states.get(*address).is_some_and(|is| is == "failed");
    let without_a_mail = |state: &str| {
        states.iter().filter(|(address, is)| *is == state && !mails.contains_key(*address)).count()
    };
    Ok(vec![
        Figure::be("people to be told", states.len(), told),
        Figure::none("told twice", mails.values().filter(|count| **count > 1).count()),
        Figure::be("known to be told, or not", of("sent") + of("failed"), told - of("unknown")),
        Figure::tell("known not to be", of("failed")),
        Figure::none("said to be told, and were not", without_a_mail("sent")),
        Figure::none("said not to be, and were", mails.keys().filter(known_not_to_be).count()),
        Figure::be("nobody knows, and so listed", listed(client).await?, of("unknown")),
        Figure::tell("of those had it", of("unknown") - without_a_mail("unknown")),
    ])
}

/// The messages that the API lists as unknown.
async fn listed(client: &Client) -> anyhow::Result<usize> {
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let page = client.get(&format!("/v1/messages?state=unknown&limit=200{cursor}")).await?;
        count += page["messages"].as_array().map_or(0, Vec::len);
        let Some(next) = page["next"].as_str() else { return Ok(count) };
        cursor = format!("&cursor={next}");
    }
}
