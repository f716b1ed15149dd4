//! Pictures of a fixed shape follow what somebody says a photograph is about.

use jobs::{State, kinds::media_rendition::MediaRendition};
use serde_json::{Value, json};
use store::enqueue::NewJob;
use testkit::eventually;

use crate::{
    journeys::{Client, serve},
    world::{SOON, World},
};

/// Red on its left half, blue on its right one.
fn two_halves() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 400, 200);
    encoder.set_color(png::ColorType::Rgb);
    let row: Vec<u8> = [[220, 30, 30].repeat(200), [30, 30, 220].repeat(200)].concat();
    encoder.write_header().unwrap().write_image_data(&row.repeat(200)).unwrap();
    bytes
}

/// The pictures of an asset, by the preset that made them.
async fn pictures(client: &Client, path: &str, preset: &str) -> Option<Vec<Value>> {
    let asset = client.get(path).await;
    let pictures = asset["renditions"].as_array().unwrap().iter();
    let pictures: Vec<Value> = pictures.filter(|picture| picture["preset"] == preset).cloned().collect();
    (!pictures.is_empty()).then_some(pictures)
}

/// What the middle of the one picture of a preset looks like, by its URL.
async fn middle(client: &Client, path: &str, preset: &str) -> [u8; 3] {
    let found = eventually(&format!("pictures by {preset}"), SOON, || pictures(client, path, preset)).await;
    let url = found[0]["url"].as_str().unwrap();
    let bytes = client.http.get(url).send().await.unwrap().bytes().await.unwrap();
    let picture = image::load_from_memory(&bytes).unwrap().into_rgb8();
    assert_eq!((picture.width(), picture.height()), (160, 200), "4 to 5, and not enlarged");
    picture.get_pixel(80, 100).0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portrait_is_cut_around_what_the_photograph_is_about() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let asset = world.asset(two_halves()).await;
    let path = format!("/v1/assets/{asset}");
    let args = MediaRendition { asset, preset: "social@1".to_owned(), branded: false };
    let put = async |body: Value| {
        let request = client.http.put(format!("{}{path}/focal-point", client.url)).bearer_auth(&client.key);
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };

    let (status, shown) = put(json!({"x_permille": 100, "y_permille": 500})).await;
    assert_eq!((status, &shown["focal_point"]["x_permille"]), (200, &json!(100)), "{shown}");
    let job = world.enqueue(&[NewJob::of(&args).unwrap()]).await[0];
    world.reaches(job, State::Completed).await;
    let red = middle(&client, &path, "social@1-at100x500").await;
    assert!(red[0] > 180 && red[2] < 80, "{red:?}");

    // Whoever says otherwise need not ask for the picture again.
    put(json!({"x_permille": 1_000, "y_permille": 0})).await;
    let blue = middle(&client, &path, "social@1-at1000x0").await;
    assert!(blue[2] > 180 && blue[0] < 80, "{blue:?}");
    assert!(pictures(&client, &path, "social@1-at100x500").await.is_some(), "the old one is still served");
    let removed = client.http.delete(format!("{}{path}/focal-point", client.url)).bearer_auth(&client.key);
    let shown: Value = removed.send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["focal_point"], Value::Null);
    middle(&client, &path, "social@1").await;

    let (status, refused) = put(json!({"x_permille": 1_001, "y_permille": 0})).await;
    assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &json!("/x_permille")), "{refused}");
    assert_eq!(put(json!({"x_permille": -1, "y_permille": 0})).await.0, 422);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_photographs_are_about_a_point() {
    let world = World::new().await;
    let (client, stop) = serve(&world).await;
    let film = world.asset(crate::world::film("64x48", 1)).await;
    for asset in [film, jobs::AssetId::new()] {
        let request = client.http.put(format!("{}/v1/assets/{asset}/focal-point", client.url));
        let answer = request.bearer_auth(&client.key).json(&json!({"x_permille": 1, "y_permille": 1}));
        assert_eq!(answer.send().await.unwrap().status(), 404);
    }
    stop.cancel();
}
