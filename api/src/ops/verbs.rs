//! What bulk operations are called, and what they would do.

use store::bulk::Action;
use tr::tr;

use super::words;

/// What an action does.
pub(super) fn of(action: &str) -> String {
    match action {
        "retry" => tr!("Retry"),
        "cancel" => tr!("Cancel"),
        "discard" => tr!("Discard"),
        _ => tr!("Change"),
    }
}

/// What the page of an operation is called.
pub(super) fn in_bulk(action: &str) -> String {
    match action {
        "retry" => tr!("Retry in bulk"),
        "cancel" => tr!("Cancel in bulk"),
        "discard" => tr!("Discard in bulk"),
        _ => tr!("Change in bulk"),
    }
}

/// What the button says that does it to so many.
pub(super) fn of_so_many(action: &str, count: &str) -> String {
    match action {
        "retry" => tr!("Retry {count}", count),
        "cancel" => tr!("Cancel {count}", count),
        "discard" => tr!("Discard {count}", count),
        _ => tr!("Change {count}", count),
    }
}

/// A count, which may be one of those that were counted only.
pub(super) fn at_least(number: i64, is_exact: bool) -> String {
    let count = words::count(number);
    if is_exact { count } else { tr!("{count} or more", count) }
}

/// What undoing does, before it is done.
pub(super) fn taken_back(action: Action) -> String {
    match action {
        Action::Reprioritise => {
            tr!("Moves them back to the priority they had, if nobody moved them since.")
        }
        _ => tr!(
            "Begins them again, to wait for the time that they waited for. Those that were running when they were told to stop stay stopped."
        ),
    }
}
