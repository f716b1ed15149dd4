//! docs/model.md says what the model says.

use model::{bound::Bound, check::shortest, variant::Variant};

fn page() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/model.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_variant_is_listed_with_its_promise_and_the_length_of_its_way() {
    let page = page();
    for variant in Variant::broken() {
        let steps = shortest(variant, Bound::SMALL).unwrap().len();
        let row = format!("| `{}` | {} | {steps} |", variant.name(), variant.breaks().unwrap());
        assert!(page.contains(&row), "docs/model.md should have the row\n{row} …");
    }
}

/// Holds the row of a bound against what a search of it found.
pub(crate) fn lists(name: &str, bound: Bound, states: usize) {
    let Bound { workers, jobs, faults, attempts, crashes, forgiven, cancels, revivals } = bound;
    let row = format!(
        "| {name} | {workers} | {jobs} | {faults} | {attempts} | {crashes} | {forgiven} | {cancels} | {revivals} | {states} |"
    );
    // The page groups digits by threes.
    assert!(page().replace(',', "").contains(&row), "docs/model.md should have the row\n{row}");
}
