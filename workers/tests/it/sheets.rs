//! `media.contact_sheet`: pages that are assets of their own.

use jobs::{
    State,
    kinds::media_contact_sheet::{ContactSheet, MediaContactSheet},
};
use store::{enqueue::NewJob, media};

use crate::world::{World, photo};

#[tokio::test]
async fn photographs_go_small_onto_pages() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let mut assets = vec![world.asset(photo("LadyBird.jpg")).await; 17];
    assets.push(world.asset(b"no picture at all".to_vec()).await);
    let args = MediaContactSheet { assets: assets.clone(), title: "Büro".to_owned(), columns: 2 };
    let job = world.enqueue(&[NewJob::of(&args).unwrap()]).await[0];
    let result = world.reaches(job, State::Completed).await.result.unwrap();
    let made: ContactSheet = serde_json::from_value(result.0.inline().unwrap().clone()).unwrap();
    assert_eq!((made.pages.len(), made.unreadable), (3, vec![assets[17]]), "six on a page");
    for (nth, page) in made.pages.iter().enumerate() {
        let asset = media::asset(&world.api, world.tenant, page.asset).await.unwrap().unwrap();
        assert_eq!(asset.state().unwrap(), jobs::AssetState::Clean);
        assert_eq!(asset.filename, Some(format!("Büro {}.jpg", nth + 1)));
        let bytes = world.blobs.get(&blob::Key::parse(&page.key).unwrap(), 10_000_000).await.unwrap();
        let seen = ::media::probe(&bytes, &workers::picture_child::LIMITS).unwrap();
        assert_eq!((seen.width, seen.height, bytes.len() as u64), (1_654, 2_339, page.bytes));
    }
}
