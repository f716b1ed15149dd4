//! Encryption at rest through real workers: with the key, without it, and while keys change.

use blob::Key;
use jobs::{JobId, State, kinds::probe_work::ProbeWork};
use payloads::Of;
use serde_json::Value;
use store::{
    Db, Role,
    enqueue::NewJob,
    payload::Field,
    sealing::{self, MasterKeys},
};
use testkit::eventually;
use workers::maintenance::resealing::reseal;

use crate::{
    payloads::object,
    world::{SOON, World, working},
};

const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const TWO: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const SECRET: &str = "rosebud";

impl World {
    fn db(&self, role: Role, present: &str, before: Option<&str>) -> Db {
        self.database.db(role).unwrap().with_masters(MasterKeys::parse(present, before).unwrap())
    }

    /// As processes see it that were started with these keys.
    fn given(mut self, present: &str, before: Option<&str>) -> Self {
        self.api = self.db(Role::Api, present, before);
        self
    }

    async fn large(&self) -> JobId {
        let probe =
            ProbeWork { ballast: SECRET.repeat(20_000), result_bytes: 100_000, ..ProbeWork::default() };
        let new = NewJob::of(&probe).unwrap();
        let of = Of { tenant: self.tenant, job: new.id, field: Field::Args };
        let value = new.args.inline().unwrap().clone();
        let args = payloads::stow(&self.api, &self.blobs, of, value).await.unwrap();
        self.enqueue(&[NewJob { args, ..new }]).await[0]
    }

    async fn value(&self, job: JobId, field: Field) -> Value {
        let record = self.job(job).await;
        let payload = match field {
            Field::Args => record.args.0,
            Field::Result => record.result.unwrap().0,
        };
        payloads::fetch(&self.api, &self.blobs, Of { tenant: self.tenant, job, field }, payload)
            .await
            .unwrap()
    }

    /// Whether anything at rest shows the secret.
    async fn shows(&self) -> bool {
        let rows = format!(
            "select (select count(*) from job x where x::text like '%{SECRET}%')
                  + (select count(*) from attempt x where x::text like '%{SECRET}%')"
        );
        let mut shows = self.database.number(&rows).await.unwrap() > 0;
        for listed in self.blobs.list(&format!("{}/p/", self.tenant), 1_000).await.unwrap().objects {
            let bytes = self.blobs.get(&listed.key, 10_000_000).await.unwrap();
            shows |= bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            shows |= bytes.windows(20).any(|window| window == [b'x'; 20]);
        }
        shows
    }
}

#[tokio::test]
async fn an_encrypted_tenant_is_served_and_nothing_at_rest_shows_its_payloads() {
    let world = World::new().await.given(ONE, None);
    sealing::encrypt(&world.db(Role::Owner, ONE, None), world.tenant).await.unwrap();
    let _worker = world.start(&["--master-key", ONE]);
    let small = world.probe(ProbeWork { echo: SECRET.into(), ..ProbeWork::default() }).await;
    let large = world.large().await;
    for job in [small, large] {
        world.reaches(job, State::Completed).await;
    }
    assert!(!world.shows().await);
    assert_eq!(world.value(small, Field::Result).await["echo"], SECRET);
    assert_eq!(world.value(large, Field::Result).await["padding"].as_str().map(str::len), Some(100_000));
    assert_eq!(world.value(large, Field::Args).await["ballast"], SECRET.repeat(20_000));
}

#[tokio::test]
async fn a_worker_without_the_key_gives_jobs_back_and_does_not_start_again() {
    let world = World::new().await.given(ONE, None);
    let mut blind = world.start(&[]);
    blind.ready().await;
    sealing::encrypt(&world.db(Role::Owner, ONE, None), world.tenant).await.unwrap();
    let job = world.probe(working(0)).await;
    eventually("the job to be parked", SOON, || async { world.job(job).await.parked.then_some(()) }).await;
    let record = world.job(job).await;
    let error = record.error.unwrap().0;
    assert_eq!((record.attempt, &error["code"]), (0, &serde_json::json!("no_key")));
    let look =
        async || reqwest::get(format!("{}/readyz", blind.address)).await.unwrap().text().await.unwrap();
    assert!(look().await.contains("CREWLINE_MASTER_KEY"), "{}", look().await);

    let mut refused = world.start(&[]);
    assert_ne!(refused.exits().await, Some(0), "it cannot do what it will be asked to");
    let mut wrong = world.start(&["--master-key", TWO]);
    assert_ne!(wrong.exits().await, Some(0));

    // As long as both are there, it is a matter of luck who is asked next.
    blind.terminate();
    assert_eq!(blind.exits().await, Some(0));
    let _sighted = world.start(&["--master-key", ONE]);
    assert_eq!(world.reaches(job, State::Completed).await.attempt, 1);
}

#[tokio::test]
async fn keys_change_under_running_workers_and_what_waits_is_sealed_anew() {
    let world = World::new().await.given(ONE, None);
    // Both wait since before anything was encrypted.
    let (small, large) =
        (world.probe(ProbeWork { echo: SECRET.into(), ..working(0) }).await, world.large().await);
    assert!(world.shows().await);
    sealing::encrypt(&world.db(Role::Owner, ONE, None), world.tenant).await.unwrap();
    let plain = object(&world.job(large).await.args.0);
    let db = world.db(Role::Worker, ONE, None);
    assert_eq!(reseal(&db, &world.blobs, world.tenant, 1).await.unwrap(), 2);
    assert_eq!(reseal(&db, &world.blobs, world.tenant, 1).await.unwrap(), 0);
    // The plain object is nobody's now, and is collected in its time.
    world.blobs.delete(&Key::parse(&plain.key).unwrap()).await.unwrap();
    assert!(!world.shows().await);

    let world = world.given(TWO, Some(ONE));
    let both = ["--master-key", TWO, "--master-key-previous", ONE];
    let rotated =
        sealing::rotate(&world.db(Role::Owner, TWO, Some(ONE)), world.tenant).await.unwrap().unwrap();
    assert_eq!((rotated.newest, rotated.rewrapped), (2, 1));
    let db = world.db(Role::Worker, TWO, Some(ONE));
    assert_eq!(reseal(&db, &world.blobs, world.tenant, 2).await.unwrap(), 2);
    assert_eq!(object(&world.job(large).await.args.0).sealed_under, Some(2));
    let worker = world.start(&both);
    for job in [small, large] {
        world.reaches(job, State::Completed).await;
    }
    worker.kill();

    let world = world.given(TWO, None);
    let _worker = world.start(&["--master-key", TWO]);
    assert_eq!(world.value(small, Field::Result).await["echo"], SECRET);
    assert_eq!(world.value(large, Field::Args).await["ballast"], SECRET.repeat(20_000));
    let another = world.large().await;
    world.reaches(another, State::Completed).await;
    assert!(!world.shows().await);
}
