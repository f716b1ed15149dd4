//! What is counted while somebody waits: a bounded number of rows, never all that there are.

use crate::workspace::{none_of, read_shipped, shipped_sources};

/// Relations that may be counted as they are: what is counted of them is bounded by something else.
const FEW: &[(&str, &str)] = &[
    ("absence", "of one person, at most ABSENCES_MAX"),
    ("alert_rule", "of one tenant, at most ALERT_RULES_MAX"),
    ("bulk_operation", "that are not over, at most BULK_OPERATIONS_MAX"),
    ("calendar_feed", "of one person, at most CALENDAR_FEEDS_MAX"),
    ("calendar_link", "of one person, at most CALENDAR_LINKS_MAX"),
    ("found", "rows of a page"),
    ("gone", "rows of a batch"),
    ("invitation", "of one booking"),
    ("limit_rule", "of one tenant, at most LIMITS_MAX"),
    ("match_preset", "of one tenant, at most MATCH_PRESETS_MAX"),
    ("party", "that are named one by one, with what they were asked in a span"),
    ("saved_view", "of one person, at most VIEWS_MAX"),
    ("schedule", "of one tenant, at most SCHEDULES_MAX"),
    ("unnest", "of a batch"),
    ("webhook_endpoint", "of one tenant, at most WEBHOOK_ENDPOINTS_MAX"),
    ("webhook_rule", "of one source, at most WEBHOOK_RULES_MAX"),
    ("webhook_source", "of one tenant, at most WEBHOOK_SOURCES_MAX"),
];

/// The relation that the statement counts all rows of, if it does: `rest` begins behind its `count(*)`.
fn counted_whole(rest: &str) -> Option<&str> {
    let statement = rest.split('"').next().unwrap_or_default();
    if statement.contains("limit") {
        return None;
    }
    let from = statement.split_once(" from ").map_or("", |(_, from)| from.trim_start());
    Some(from.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
}

#[test]
fn nothing_is_counted_without_an_end() {
    let (mut broken, mut met) = (Vec::new(), 0);
    for name in shipped_sources() {
        let text = read_shipped(name);
        for (_, rest) in text.match_indices("count(*)").map(|(at, found)| text.split_at(at + found.len())) {
            met += 1;
            let whole = counted_whole(rest);
            if let Some(of) = whole.filter(|of| FEW.iter().all(|(few, _)| few != of)) {
                broken.push(format!("{name} counts every row of {of:?}"));
            }
        }
    }
    assert!(met > 20, "the statements were not found");
    none_of(&broken, "Count a subselect with a limit, or say in FEW why there are few.");
}

#[test]
fn whole_counts_are_told_from_bounded_ones() {
    assert_eq!(counted_whole(" from job where true\", \"limit"), Some("job"));
    assert_eq!(counted_whole(" from (select from job limit 5) counted\""), None);
}
