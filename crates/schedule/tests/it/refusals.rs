//! What is refused says where it is wrong.

use schedule::Cron;

fn refused(text: &str) -> String {
    Cron::parse(text).err().unwrap_or_else(|| unreachable!("{text:?} was taken")).to_string()
}

#[test]
fn the_field_that_is_wrong_is_named() {
    for (text, start) in [
        ("60 * * * *", "field 1 (minute), \"60\": number out of bounds; it takes 0 to 59"),
        ("60 * * * * *", "field 1 (second), \"60\""),
        ("* 24 * * *", "field 2 (hour), \"24\""),
        ("* * 0 * *", "field 3 (day of month), \"0\""),
        ("* * * 13 *", "field 4 (month), \"13\""),
        ("* * * * 8", "field 5 (day of week), \"8\""),
        ("* * * * * 8", "field 6 (day of week), \"8\""),
        ("*/0 * * * *", "field 1 (minute), \"*/0\": step cannot be zero"),
        ("*/90 * * * *", "field 1 (minute), \"*/90\": a step of more than 59 never comes twice"),
        ("0/5 * * * *", "field 1 (minute), \"0/5\""),
        ("1,,2 * * * *", "field 1 (minute), \"1,,2\": a part of the list is empty"),
        ("0 22-4 * * *", "field 2 (hour), \"22-4\": range out of bounds"),
        ("MAY * * * *", "field 1 (minute), \"MAY\": MAY means nothing here"),
        ("0 0 1 JANFEB *", "field 4 (month), \"JANFEB\": JANFEB means nothing here"),
        ("0 0 * * MONDAY", "field 5 (day of week), \"MONDAY\": MONDAY means nothing here"),
        ("0 0 * * L", "field 5 (day of week), \"L\": the last of which weekday?"),
        ("0 0 * * +", "field 5 (day of week), \"+\""),
        ("0 0 * * 5#6", "field 5 (day of week), \"5#6\""),
        ("a b c d e", "field 1 (minute), \"A\""),
        ("é * * * *", "field 1 (minute), \"é\""),
    ] {
        let said = refused(text);
        assert!(said.starts_with(start), "{text:?} was refused with: {said}");
    }
}

#[test]
fn the_shape_of_an_expression_is_told() {
    assert!(refused("* * * *").starts_with("4 fields; it takes five"));
    assert!(refused("* * * * * * 2027").starts_with("7 fields"));
    assert!(refused("").starts_with("0 fields"));
    assert!(refused("@reboot").starts_with("no such nickname; there are @yearly"));
    assert!(refused(&"1,".repeat(200)).starts_with("an expression takes at most 200 bytes"));
    for never in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *"] {
        assert!(refused(never).starts_with("never comes due"), "{never}");
    }
}

#[test]
fn usual_expressions_are_taken() {
    for text in [
        "@daily",
        "@Midnight",
        " 0 0 * * * ",
        "0 0 ? * MON-FRI",
        "0 0 * * mon",
        "0 0 1 * +MON",
        "0 0 L * *",
        "0 0 LW * *",
        "0 0 1,15W * *",
        "0 9 * * 1-5",
        "0 9 * * 7",
        "*/5 * * * * *",
        "0 0 * JAN,JUL SUN#1",
    ] {
        Cron::parse(text).unwrap();
    }
}
