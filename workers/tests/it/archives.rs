//! How much memory archives take, however much is in them.

use serde_json::{Value, json};

use crate::{
    deliveries::deliver,
    journeys::serve,
    world::{World, photo},
};

/// Size of the file that is in an archive again and again.
const FILE_BYTES: usize = 24_000_000;
/// Files in a small archive and in a large one.
const FEW: usize = 2;
const MANY: usize = 12;
/// How much more memory the large one may take: less than half of the ten files that it has more. Peaks of the same archive are
/// some 50 MB apart on a machine that does other things.
const MORE_BYTES_MAX: u64 = 100_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_archive_takes_no_more_memory_than_a_small_one() {
    let world = World::new().await;
    let worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let mut bytes = photo("LadyBird.jpg");
    bytes.resize(FILE_BYTES, 0);
    let asset = world.asset(bytes).await;
    let peak_of = async |count: usize| {
        let file = |nth| json!({"asset": asset, "name": format!("{nth}.jpg")});
        let files: Vec<Value> = (0..count).map(file).collect();
        worker.forget_peak();
        deliver(&client, &json!({"title": "x", "files": files, "archives": ["original"]})).await;
        worker.peak_bytes()
    };
    // What is made of the picture is made with the first.
    peak_of(1).await;
    let (few, many) = (peak_of(FEW).await, peak_of(MANY).await);
    assert!(many < few + MORE_BYTES_MAX, "{few} bytes for {FEW} files, {many} for {MANY}");
    stop.cancel();
}
