//! Rules of a house: who is looked for by them is looked for by the version that was asked for, whatever becomes of it.

use matching::{Point, Terms, Weights};
use store::{
    matches::{self, Answered, MatchRequest, NewMatchRequest, PresetSet, Requested, Word},
    people::{self, Said},
    submit::Answer,
};

use crate::{
    matching::{offered, request, wanted},
    people::{party, technician, technician_at},
    world::World,
};

/// Rules by which one thing alone counts.
fn only(name: &str) -> Terms {
    let worth = |factor| if factor == name { 100 } else { 0 };
    let weights = Weights {
        availability: worth("availability"),
        preferred: worth("preferred"),
        reliability: 0,
        distance: worth("distance"),
        skill: 0,
    };
    Terms { weights, ..Terms::VREM }
}

async fn set(world: &World, seen: Option<i32>, terms: Terms) -> PresetSet {
    matches::set_preset(&world.api, world.tenant, ("house", seen), &terms, "key", 2).await.unwrap()
}

fn by_house() -> NewMatchRequest {
    NewMatchRequest { preset: Some("house".into()), ..wanted() }
}

async fn made(world: &World, new: &NewMatchRequest) -> Requested {
    let answer = |_: &MatchRequest| Answer::of(202, None, &());
    matches::create(&world.api, world.tenant, new, None, answer).await.unwrap()
}

#[tokio::test]
async fn rules_that_change_between_ranking_and_offer_do_not_reach_whoever_is_looked_for() {
    let world = World::new().await;
    let client = party(&world, world.tenant).await;
    let near = technician(&world, world.tenant).await;
    let preferred = technician_at(&world, world.tenant, Point::new(48.3, 16.37)).await;
    assert!(people::relate(&world.api, world.tenant, client, preferred, Said::Preferred).await.unwrap());
    assert!(matches!(set(&world, None, only("preferred")).await, PresetSet::Done(made) if made.version == 1));
    let before = request(&world, NewMatchRequest { client: Some(client), ..by_house() }).await;
    assert!(matches!(set(&world, Some(1), only("distance")).await, PresetSet::Done(set) if set.version == 2));
    // Ranked after the change, and asked: by what was asked for.
    let first = offered(&world, before, 1).await;
    let asked = matches::offer(&world.api, world.tenant, first).await.unwrap().unwrap();
    assert_eq!(asked.party(), preferred);
    assert!(matches::remove_preset(&world.api, world.tenant, "house").await.unwrap());
    let no = matches::answer(&world.api, world.tenant, first, Word::Declined).await.unwrap();
    assert!(matches!(no, Answered::Heard(_)));
    let second = offered(&world, before, 2).await;
    assert_eq!(matches::offer(&world.api, world.tenant, second).await.unwrap().unwrap().party(), near);
    for round in [1, 2] {
        let receipt = matches::receipt(&world.api, world.tenant, before, round).await.unwrap().unwrap();
        assert_eq!(receipt.receipt.terms, only("preferred"));
    }
    let kept = matches::request(&world.api, world.tenant, before).await.unwrap().unwrap();
    assert_eq!((kept.preset.as_deref(), kept.preset_version), (Some("house"), Some(1)));
    assert_eq!(kept.terms.0, only("preferred"));
}

#[tokio::test]
async fn a_change_names_the_version_it_saw_and_names_are_few() {
    let world = World::new().await;
    assert!(matches!(made(&world, &by_house()).await, Requested::NoPreset));
    assert!(matches!(set(&world, Some(1), Terms::VREM).await, PresetSet::Missing));
    assert!(matches!(set(&world, None, Terms::VREM).await, PresetSet::Done(_)));
    assert!(matches!(set(&world, None, only("distance")).await, PresetSet::Moved(now) if now.version == 1));
    let both = tokio::join!(set(&world, Some(1), only("distance")), set(&world, Some(1), Terms::VREM));
    let done = |set: &PresetSet| matches!(set, PresetSet::Done(set) if set.version == 2);
    let moved = |set: &PresetSet| matches!(set, PresetSet::Moved(now) if now.version == 2);
    assert!(done(&both.0) && moved(&both.1) || moved(&both.0) && done(&both.1), "{both:?}");
    let (now, strange) =
        (matches::presets(&world.api, world.tenant, 9).await.unwrap(), world.tenant("b").await);
    assert_eq!((now.len(), now[0].name.as_str(), now[0].version), (1, "house", 2));
    assert!(matches::presets(&world.api, strange, 9).await.unwrap().is_empty());
    assert!(!matches::remove_preset(&world.api, strange, "house").await.unwrap());
    for name in ["b", "c"] {
        let set = matches::set_preset(&world.api, world.tenant, (name, None), &Terms::VREM, "key", 2).await;
        assert_eq!(matches!(set.unwrap(), PresetSet::TooMany), name == "c");
    }
    assert!(matches!(made(&world, &by_house()).await, Requested::New(_)));
}

#[tokio::test]
async fn a_version_of_a_name_is_never_used_again() {
    let world = World::new().await;
    let remove = async || matches::remove_preset(&world.api, world.tenant, "house").await.unwrap();
    let version = async |seen| match set(&world, seen, Terms::VREM).await {
        PresetSet::Done(set) => Some(set.version),
        _ => None,
    };
    assert_eq!((version(None).await, version(Some(1)).await), (Some(1), Some(2)));
    assert!(remove().await && !remove().await);
    assert_eq!(version(None).await, Some(3));
    assert_eq!(version(Some(2)).await, None, "what somebody saw before is gone");
    for last in [3, 4, 5] {
        // Whoever comes first: what is made anew never has the version of what it took the place of.
        let (removed, made) = tokio::join!(remove(), version(None));
        assert!(removed && made.is_none_or(|made| made == last + 1), "{made:?}");
        let now = if made.is_some() { made } else { version(None).await };
        assert_eq!(now, Some(last + 1));
    }
    let strange = world.tenant("b").await;
    let theirs = matches::set_preset(&world.api, strange, ("house", None), &Terms::VREM, "key", 2).await;
    assert!(
        matches!(theirs.unwrap(), PresetSet::Done(set) if set.version == 1),
        "others count for themselves"
    );
}
