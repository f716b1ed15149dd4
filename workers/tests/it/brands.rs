//! A tenant's mark over its pictures, and in the archives that are to have it.

use jobs::{
    State,
    failure::Problem,
    kinds::media_rendition::{MediaRendition, Renditions},
};
use serde_json::json;
use store::enqueue::NewJob;

use crate::{
    deliveries::{deliver, told},
    journeys::serve,
    world::{World, photo},
};

/// A black square.
fn mark() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 64, 64);
    encoder.set_color(png::ColorType::Rgba);
    let pixels: Vec<u8> = [0, 0, 0, 255].repeat(64 * 64);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn branded_archives_hold_other_pictures_than_unbranded_ones() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let (kitchen, logo) = (world.asset(photo("LadyBird.jpg")).await, world.asset(mark()).await);
    let put = async |body: serde_json::Value| {
        let request = client.http.put(format!("{}/v1/brand", client.url)).bearer_auth(&client.key);
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
    };
    let (status, set) = put(json!({"asset": logo, "corner": "center", "width_percent": 50})).await;
    assert_eq!((status, &set["opacity_percent"]), (200, &json!(80)), "{set}");
    let body = json!({"title": "x", "files": [{"asset": kitchen, "name": "Kitchen.jpg"}], "archives": ["mls", "mls_branded", "print", "print_branded"]});
    let delivery = deliver(&client, &body).await;
    let link = delivery["link"].as_str().unwrap();
    let picture = async |variant: &str| {
        client.http.get(format!("{link}/files/1/{variant}")).send().await.unwrap().bytes().await.unwrap()
    };
    assert_ne!(picture("mls").await, picture("mls_branded").await);
    assert_ne!(picture("print").await, picture("print_branded").await);
    for archive in delivery["archives"].as_array().unwrap() {
        assert_eq!(archive["files"], 1, "{archive}");
        let variant = archive["variant"].as_str().unwrap();
        let packed = client.http.get(format!("{link}/archive/{variant}")).send().await.unwrap();
        let packed = packed.bytes().await.unwrap();
        told("unzip", &["-tqq"], &packed);
        let picture = picture(variant).await;
        assert!(packed.windows(picture.len()).any(|bytes| bytes == picture), "{variant} has other pictures");
    }

    let (_, other) = put(json!({"asset": logo, "corner": "top_left"})).await;
    assert_ne!(other["tag"], set["tag"], "pictures that look otherwise have another tag");
    assert_eq!(put(json!({"asset": jobs::AssetId::new()})).await.0, 422);
    assert_eq!(put(json!({"asset": logo, "width_percent": 0})).await.0, 422);
    stop.cancel();
}

#[tokio::test]
async fn without_a_mark_nothing_is_branded() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let asset = world.asset(photo("FreshFlower.jpg")).await;
    let args = MediaRendition { asset, preset: MediaRendition::default_preset(), branded: true };
    let job = world.enqueue(&[NewJob::of(&args).unwrap()]).await[0];
    let discarded = world.reaches(job, State::Discarded).await;
    let problem: Problem = serde_json::from_value(discarded.error.unwrap().0).unwrap();
    assert_eq!(problem.code, "no_brand");
}

#[tokio::test]
async fn a_mark_that_changes_makes_other_pictures() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (asset, logo) = (world.asset(photo("FreshFlower.jpg")).await, world.asset(mark()).await);
    let mut presets = Vec::new();
    for corner in ["top_left", "top_left", "center"] {
        let new = store::brands::NewBrand {
            asset: logo,
            corner,
            width_percent: 20,
            opacity_percent: 50,
            by: "test".to_owned(),
        };
        assert!(store::brands::set(&world.api, world.tenant, &new).await.unwrap());
        let args = MediaRendition { asset, preset: MediaRendition::default_preset(), branded: true };
        let job = world.enqueue(&[NewJob::of(&args).unwrap()]).await[0];
        let result = world.reaches(job, State::Completed).await.result.unwrap();
        let made: Renditions = serde_json::from_value(result.0.inline().unwrap().clone()).unwrap();
        presets.push((made.preset, made.reused));
    }
    assert_eq!((presets[0].0 == presets[1].0, presets[1].1), (true, true), "{presets:?}");
    assert_eq!((presets[0].0 == presets[2].0, presets[2].1), (false, false), "{presets:?}");
}
