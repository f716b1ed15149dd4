//! F31: workers that are killed at each named point of sending a mail, whose server cannot be asked afterwards; and what it has in
//! common with sending in another way.

use std::{collections::HashMap, ops::Range, time::Duration};

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
    let smtp = tokio::task::block_in_place(SmtpServer::start)?;
    let address = smtp.address();
    let mail = ["--smtp-address", &address, "--smtp-tls", "none", "--mail-from", "Acme <hello@acme.example>"];
    let people = |number: usize| format!("ada{number}@example.test");
    let way = Way::open(stage, "email", people, &mail, SOON).await?;
    let (told, deaths) = way.die_at_each(stage.pace.pick(2, 200, 200)).await?;
    let seen = way.seen(smtp.kept()?.into_iter().map(|kept| kept.recipient)).await?;
    let unknown = seen.of("unknown");
    let mut figures = seen.figures(told);
    figures.extend([
        Figure::be("known to be told, or not", seen.of("sent") + seen.of("failed"), told - unknown),
        Figure::be("nobody knows, and so listed", seen.listed, unknown),
        Figure::tell("of those had it", unknown - seen.without("unknown")),
    ]);
    figures.extend(deaths);
    Ok(Ended::Seen(figures))
}

/// A way to reach people, in a world of its own.
pub(super) struct Way<'a> {
    stage: &'a Stage,
    world: World,
    client: Client,
    channel: &'static str,
    /// The address of so-and-so.
    address: fn(usize) -> String,
    /// Who carries it, as workers are told.
    provider: &'a [&'a str],
    /// How long until everything that was begun has ended.
    ends_within: Duration,
}

impl<'a> Way<'a> {
    pub(super) async fn open(
        stage: &'a Stage,
        channel: &'static str,
        address: fn(usize) -> String,
        provider: &'a [&'a str],
        ends_within: Duration,
    ) -> anyhow::Result<Self> {
        let world = World::set(stage, Scene { lease: LEASE, sweep: SWEEP, ..Scene::of(stage)? }).await?;
        let client = world.tenant("acme").await?;
        Ok(Self { stage, world, client, channel, address, provider, ends_within })
    }

    /// Has so many processes die at each point, and the rest done by others; answers how many people were to be told.
    pub(super) async fn die_at_each(&self, wanted: usize) -> anyhow::Result<(usize, Vec<Figure>)> {
        let (mut figures, mut told) = (Vec::new(), 0);
        for point in POINTS {
            let mut deaths = 0;
            while deaths < wanted {
                let count = AT_A_TIME.min(wanted - deaths);
                self.stage.say(&format!("{point}: {deaths} of {wanted} died"));
                self.plan(told..told + count).await?;
                told += count;
                let one_each = ["--die-at", point, "--queues", "default", "--concurrency", "default=1"];
                let no_sweeps = ["--sweep-ms", "600000"];
                let doomed = [&one_each[..], &no_sweeps, self.provider].concat();
                deaths += self.world.die(&doomed, count).await?;
                let _heir = self.world.workers(1, self.provider).await?;
                self.world.quiet(self.ends_within).await?;
            }
            figures.push(Figure::at_least(format!("deaths {point}"), deaths, wanted));
        }
        self.stage.say("what no job will send any more");
        let _worker = self.world.workers(1, self.provider).await?;
        until("every message to be settled", SETTLED, || async {
            let open = "select count(*) from message where state in ('planned', 'sending')";
            (self.world.number(open).await.ok()? == 0).then_some(())
        })
        .await?;
        Ok((told, figures))
    }

    /// Somebody for each of `numbers`, and a notification of all of them that is decided about and waits to be sent.
    async fn plan(&self, numbers: Range<usize>) -> anyhow::Result<()> {
        let (client, mut recipients) = (&self.client, Vec::new());
        for number in numbers.clone() {
            let name = format!("Ada {number}");
            let party = made(client, "/v1/parties", &name, &json!({ "name": name })).await?;
            let id = party["id"].as_str().unwrap_or_default().to_owned();
            let contact =
                json!({ "channel": self.channel, "address": (self.address)(number), "verified": true });
            client.change(Method::POST, &format!("/v1/parties/{id}/contact-points"), &contact).await?;
            recipients.push(id);
        }
        let hold = json!({ "kind": "notify.send", "reason": "until all of them are decided about" });
        let pause = client.change(Method::POST, "/v1/pauses", &hold).await?;
        let notification = json!({
            "recipients": recipients, "template": "reminder", "category": "operational", "channels": [self.channel],
            "variables": { "name": "Ada", "address": "12 Elm Street", "starts": "Monday, 09:00" },
        });
        made(client, "/v1/notifications", &format!("from {}", numbers.start), &notification).await?;
        let planner = self.world.workers(1, self.provider).await?;
        until("all of them to be decided about", SOON, || async {
            let waiting =
                self.world.number("select count(*) from job where kind = 'notify.send'").await.ok()?;
            (waiting == recipients.len()).then_some(())
        })
        .await?;
        drop(planner);
        let path = format!("/v1/pauses/{}", pause["id"].as_str().unwrap_or_default());
        client.change(Method::DELETE, &path, &Value::Null).await?;
        Ok(())
    }

    /// What came of it; `arrived` is whom the provider has something for, once for each.
    pub(super) async fn seen(&self, arrived: impl Iterator<Item = String>) -> anyhow::Result<Seen> {
        let mut had: HashMap<String, usize> = HashMap::new();
        for recipient in arrived {
            *had.entry(recipient).or_default() += 1;
        }
        let states = format!(
            "select coalesce(jsonb_object_agg(c.address, m.state), '{{}}') from message m
             join contact_point c on c.id = m.contact_point_id where m.channel = '{}'",
            self.channel
        );
        let states = serde_json::from_value(self.world.database.json(&states).await?)?;
        Ok(Seen { had, states, listed: listed(&self.client).await? })
    }
}

/// What the provider has, held against what the ledger says of each message.
pub(super) struct Seen {
    /// How often somebody was told, by their address.
    had: HashMap<String, usize>,
    /// What the ledger says, by address.
    states: HashMap<String, String>,
    /// Messages that the API lists as unknown.
    pub(super) listed: usize,
}

impl Seen {
    /// Messages in this state.
    pub(super) fn of(&self, state: &str) -> usize {
        self.states.values().filter(|is| *is == state).count()
    }

    /// Those of them that the provider never had.
    fn without(&self, state: &str) -> usize {
        let is_without =
            |(address, is): &(&String, &String)| *is == state && !self.had.contains_key(*address);
        self.states.iter().filter(is_without).count()
    }

    /// What holds whether the provider can be asked or not.
    pub(super) fn figures(&self, told: usize) -> Vec<Figure> {
        let is_failed = |address: &&String| self.states.get(*address).is_some_and(|is| is == "failed");
        vec![
            Figure::be("people to be told", self.states.len(), told),
            Figure::none("told twice", self.had.values().filter(|count| **count > 1).count()),
            Figure::tell("known not to be", self.of("failed")),
            Figure::none("said to be told, and were not", self.without("sent")),
            Figure::none("said not to be, and were", self.had.keys().filter(is_failed).count()),
        ]
    }
}

/// What is made of `body`, under `key`.
async fn made(client: &Client, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
    let told = client.submit(path, key, body, SOON).await;
    let answer = told.answer.filter(|(status, _)| status.is_success());
    answer.map(|(_, body)| body).with_context(|| format!("POST {path} was not answered well"))
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
