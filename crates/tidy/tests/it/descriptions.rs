//! What the description of the API calls things: no two types share a name, or one would silently stand for the other.

use std::collections::BTreeMap;

use crate::workspace::{none_of, read_shipped, shipped_sources};

/// What a type that derives `ToSchema` is called, from the text behind that derive: what `schema(as = …)` says, or its own name.
fn called(rest: &str) -> Option<&str> {
    let at = [" struct ", " enum "].iter().filter_map(|word| Some(rest.find(word)? + word.len())).min()?;
    let (attributes, own) = rest.split_at(at);
    let named = attributes.split("schema(as = ").nth(1).unwrap_or(own);
    named.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[test]
fn no_two_schemas_share_a_name() {
    let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for file in shipped_sources() {
        for part in read_shipped(file).split("#[derive(").skip(1) {
            let derives = part.split(')').next().unwrap_or_default();
            if derives.split(", ").any(|one| one == "ToSchema") {
                names.entry(called(part).unwrap_or_default().to_owned()).or_default().push(file);
            }
        }
    }
    assert!(names.len() > 200, "the types were not found");
    let twice = names.iter().filter(|(_, files)| files.len() > 1);
    let broken: Vec<String> =
        twice.map(|(name, files)| format!("{name} is in {}", files.join(" and "))).collect();
    none_of(&broken, "Say #[schema(as = …)] of one of them.");
}

#[test]
fn names_are_read_as_they_are_said() {
    assert_eq!(called("Debug, ToSchema)]\n#[schema(as = Why)]\npub struct Waiting {"), Some("Why"));
    assert_eq!(called("ToSchema)]\npub(crate) enum State<T> {"), Some("State"));
}
