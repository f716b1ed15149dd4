//! F10: S3 gone, slow, refusing, and breaking uploads off.

use std::time::{Duration, Instant};

use testkit::{HttpProxy, Service};

use super::Ended;
use crate::{
    client::Client,
    figure::Figure,
    load::{self, Book},
    picture,
    stage::{Stage, until},
    world::{Route, World},
};

const SIDE_PX: u32 = 400;
/// Housekeeping of uploads that nobody completes comes by every minute.
const COLLECTED_MAX: Duration = Duration::from_secs(150);

#[derive(Clone, Copy)]
enum Fault {
    Refusing,
    Slow,
    Truncating,
    Down,
}

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let mut world = World::open(stage).await?;
    let proxy = HttpProxy::before(world.s3_address).await?;
    let direct = world.route.clone();
    // Workers and the API reach S3 by the proxy; so do clients, because the API signs the addresses that it knows.
    world.route = Route { s3: format!("http://{}", proxy.address()), ..direct };
    world.kill_api();
    world.start_api().await?;
    let client = world.tenant("acme").await?;
    let _workers = world.workers(2, &["--queues", "media", "--concurrency", "media=2"]).await?;
    let book = Book::default();
    let (mut tried, mut stored) = (0, 0);
    for (name, fault) in [
        ("20 % of requests refused", Fault::Refusing),
        ("answers after 10 s", Fault::Slow),
        ("30 % of uploads broken off", Fault::Truncating),
        ("down", Fault::Down),
    ] {
        stage.say(name);
        begin(&proxy, &mut world, fault, stage);
        // The fault is over while clients go on, so that what it left half-done is finished by somebody.
        let began = Instant::now();
        let (lasts, then) = (stage.pace.seconds(2, 12, 240), stage.pace.seconds(1, 4, 60));
        let mut is_over = false;
        while began.elapsed() < lasts + then {
            tried += 1;
            stored += usize::from(one(&client, &book).await);
            if !is_over && began.elapsed() > lasts {
                is_over = true;
                end(&proxy, &mut world, fault).await?;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if !is_over {
            end(&proxy, &mut world, fault).await?;
        }
    }
    // What was announced and never completed, as if its hour were over.
    let forgotten = client.upload(picture::png(SIDE_PX)?, "image/png").await?;
    stage.say(&format!("{stored} of {tried} pictures stored; the last upload is forgotten: {forgotten}"));
    let mut figures = world.audit(&book, Duration::from_mins(3)).await?;
    let verified = picture::verify(&world, &client).await?;
    figures.extend([
        Figure::tell("uploads tried", tried),
        Figure::at_least("of them stored", stored, 1),
        Figure::tell("pictures fetched", verified.pictures),
        Figure::none("pictures missing or damaged", verified.wrong + verified.empty),
        Figure::none("picture rows twice", world.number(picture::TWICE).await?),
        Figure::tell(
            "runs that failed and were repeated",
            world.number("select count(*) from attempt where outcome = 'retried'").await?,
        ),
        Figure::none(
            "jobs given up",
            world.number("select count(*) from attempt where final_state <> 'completed'").await?,
        ),
    ]);
    if stage.pace != crate::pace::Pace::Quick {
        figures.extend(orphans(stage, &world).await?);
    }
    Ok(Ended::Seen(figures))
}

/// One picture, all the way to a job; false when S3 did not let it through. What was announced stays behind.
async fn one(client: &Client, book: &Book) -> bool {
    let Ok(png) = picture::png(SIDE_PX) else { return false };
    let Ok(asset) = picture::asset(client, png).await else { return false };
    load::submit(client, book, picture::job(&asset)).await.job().is_some()
}

fn begin(proxy: &HttpProxy, world: &mut World, fault: Fault, stage: &Stage) {
    match fault {
        Fault::Refusing => proxy.set(Service { refused: 0.2, ..Service::default() }),
        Fault::Slow => proxy.set(Service { delay: stage.pace.seconds(1, 10, 10), ..Service::default() }),
        Fault::Truncating => proxy.set(Service { truncated: 0.3, ..Service::default() }),
        Fault::Down => world.kill_s3(),
    }
}

async fn end(proxy: &HttpProxy, world: &mut World, fault: Fault) -> anyhow::Result<()> {
    proxy.set(Service::default());
    if matches!(fault, Fault::Down) {
        world.start_s3().await?;
    }
    Ok(())
}

/// Whatever was uploaded and never completed is collected when its hour is over. The hour is over at once here: only the
/// rows say when it is.
async fn orphans(stage: &Stage, world: &World) -> anyhow::Result<Vec<Figure>> {
    let pending = "select count(*) from upload where state = 'pending'";
    let before = world.number(pending).await?;
    stage.say(&format!("{before} uploads were never completed; waiting for them to be collected"));
    world
        .database
        .execute("update upload set expires_at = now() - interval '1 day' where state = 'pending'")
        .await?;
    let began = Instant::now();
    until("abandoned uploads to be collected", COLLECTED_MAX, || async {
        (world.number(pending).await.ok()? == 0).then_some(())
    })
    .await?;
    Ok(vec![
        Figure::at_least("uploads never completed", before, 1),
        Figure::within("collected after their hour", began.elapsed(), COLLECTED_MAX),
        Figure::none("objects of theirs left", staged_objects(world)),
    ])
}

/// Files that lie where uploads are staged.
fn staged_objects(world: &World) -> usize {
    let mut folders = vec![world.objects()];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.components().any(|part| part.as_os_str() == "uploads") && !is_of_the_server(&path)
            {
                found += 1;
            }
        }
    }
    found
}

/// The server keeps notes of its own beside objects.
fn is_of_the_server(path: &std::path::Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.'))
}
