//! People, a mail server, and workers that know it.

use jobs::{
    Category, Channel, ContactPointId, JobId, MessageId, PartyId, State, TenantId,
    kinds::notify_plan::{NotifyPlan, Planned},
};
use serde_json::json;
use store::{
    enqueue::NewJob,
    messages::{self, Message},
    parties::{self, Added, NewContactPoint, Terms},
    submit::Answer,
};
use testkit::{SmtpServer, eventually};

use crate::world::{SOON, Worker, World};

pub(crate) const PUBLIC_URL: &str = "https://api.acme.test";

/// A worker that sends mail through `smtp`.
pub(crate) fn start(world: &World, smtp: &SmtpServer, more: &[&str]) -> Worker {
    let address = smtp.address();
    let usual = ["--smtp-address", &address, "--smtp-tls", "none", "--mail-from", "Acme <hello@acme.test>"];
    let link = ["--public-url", PUBLIC_URL];
    world.start(&[&usual[..], &link, more].concat())
}

/// Somebody with this mail address.
pub(crate) async fn somebody(world: &World, address: &str) -> PartyId {
    reached(world, Channel::Email, address).await
}

/// Somebody who is reached so.
pub(crate) async fn reached(world: &World, channel: Channel, address: &str) -> PartyId {
    reached_by(world, world.tenant, channel, address).await
}

/// The same, whom `tenant` knows.
pub(crate) async fn reached_by(world: &World, tenant: TenantId, channel: Channel, address: &str) -> PartyId {
    let party = PartyId::new();
    let terms = Terms { name: "Ada Lovelace".into(), locale: "de-AT".into(), timezone: None, quiet: None };
    let inbox = (ContactPointId::new(), [7; 32]);
    let noted = |_| Answer::of(201, None, &());
    parties::create(&world.api, tenant, party, &terms, inbox, None, noted).await.unwrap();
    add(world, tenant, party, channel, address).await;
    party
}

/// Notes another address of `party`.
pub(crate) async fn also_reached(world: &World, party: PartyId, channel: Channel, address: &str) {
    add(world, world.tenant, party, channel, address).await;
}

async fn add(world: &World, tenant: TenantId, party: PartyId, channel: Channel, address: &str) {
    let new = NewContactPoint {
        id: ContactPointId::new(),
        party,
        channel,
        address: address.to_owned(),
        is_verified: true,
        link_secret: [9; 32],
    };
    assert_eq!(parties::add(&world.api, tenant, &new).await.unwrap(), Added::New);
}

/// A reminder to `party` by `channel`.
pub(crate) fn reminder(party: PartyId, channel: Channel) -> NotifyPlan {
    let variables = json!({"name": "Ada", "address": "12 Elm Street", "starts": "Monday, 09:00"});
    NotifyPlan {
        recipients: vec![party],
        category: Category::Operational,
        variables: variables.as_object().unwrap().clone(),
        channels: Some(vec![channel]),
        ..jobs::Job::example()
    }
}

/// Has `plan` decided; answers its messages.
pub(crate) async fn planned(world: &World, plan: &NotifyPlan) -> Vec<MessageId> {
    let job = world.enqueue(&[NewJob::of(plan).unwrap()]).await[0];
    let done = world.reaches(job, State::Completed).await.result.unwrap();
    let planned: Planned = serde_json::from_value(done.0.inline().unwrap().clone()).unwrap();
    planned.messages
}

pub(crate) async fn message(world: &World, id: MessageId) -> Message {
    messages::message(&world.api, world.tenant, id).await.unwrap().expect("the message is gone")
}

/// Waits until the message is in one of `states`.
pub(crate) async fn becomes(world: &World, id: MessageId, states: &[&str]) -> Message {
    eventually(&format!("{id} to be {states:?}"), SOON, || async {
        let found = message(world, id).await;
        states.contains(&found.state.as_str()).then_some(found)
    })
    .await
}

/// `state` of each try, in order.
pub(crate) async fn tries(world: &World, id: MessageId) -> String {
    let effects = messages::effects(&world.api, world.tenant, id).await.unwrap();
    effects.iter().map(|effect| effect.state.as_str()).collect::<Vec<_>>().join(" ")
}

/// The one job of this kind.
pub(crate) async fn job_of(world: &World, kind: &str) -> JobId {
    let sql = format!(
        "select to_jsonb(job_id) from (select id as job_id from job where kind = '{kind}'
         union select job_id from attempt where kind = '{kind}') x"
    );
    let id = world.database.json(&sql).await.unwrap();
    JobId::from_uuid(serde_json::from_value(id).unwrap())
}
