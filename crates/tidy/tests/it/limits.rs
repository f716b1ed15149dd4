//! Every limit stands in docs/limits.md with its number.
//!
//! A limit is a constant that ends in `_MAX` or `_MIN` or is a span of time, a field of the bounds on pictures and films, or a
//! setting with a number for its default. A row of the table is `| what | number | where |`.

use crate::{
    links::prose,
    workspace::{none_of, read, read_shipped, shipped_sources},
};

struct Row {
    number: String,
    place: String,
}

fn rows() -> Vec<Row> {
    let text = prose(&read("docs/limits.md"));
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> =
            line.strip_prefix('|')?.strip_suffix('|')?.split(" | ").map(str::trim).collect();
        let [_, number, place] = cells[..] else { return None };
        Some(Row { number: number.to_owned(), place: place.to_owned() })
    });
    rows.collect()
}

/// `crates/store/src/release.rs` is `store::release`, `api/src/limits.rs` is `api::limits`, `…/lib.rs` is the crate.
fn module(file: &str) -> String {
    let path = file.trim_start_matches("crates/").trim_end_matches(".rs").replace("/src/", "/");
    let path = path.trim_end_matches("/lib").trim_end_matches("/mod");
    path.replace('/', "::")
}

/// The product of the numbers in `64 * 1024`, or `4 << 20`; none for anything else.
fn product(expression: &str) -> Option<u128> {
    if let Some((number, places)) = expression.split_once(" << ") {
        return Some(number.parse::<u128>().ok()? << places.parse::<u32>().ok()?);
    }
    expression.split('*').map(|factor| factor.trim().replace('_', "").parse::<u128>().ok()).product()
}

/// A count or a time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    Count(u128),
    Millis(u128),
}

fn bound(expression: &str) -> Option<Bound> {
    let expression = expression.trim();
    let call = expression.strip_prefix("Duration::from_").or_else(|| expression.strip_prefix("TimeDelta::"));
    let Some(call) = call else { return product(expression).map(Bound::Count) };
    let (unit, inside) = call.strip_suffix(')')?.split_once('(')?;
    let factor = match unit {
        "millis" | "milliseconds" => 1,
        "secs" | "seconds" => 1_000,
        "mins" | "minutes" => 60_000,
        "hours" => 3_600_000,
        "days" => 86_400_000,
        _ => return None,
    };
    Some(Bound::Millis(product(inside)? * factor))
}

fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The ways in which a number may be written.
fn spellings(bound: Bound) -> Vec<String> {
    let scaled = |number: u128, scales: &[(u128, &str)]| -> Vec<String> {
        let fits = scales.iter().filter(|(scale, _)| number >= *scale && number.is_multiple_of(*scale));
        fits.map(|(scale, unit)| format!("{}{unit}", grouped(number / scale))).collect()
    };
    match bound {
        Bound::Count(number) => {
            let mut all = scaled(number, &[(1 << 10, " KiB"), (1 << 20, " MiB"), (1 << 30, " GiB")]);
            all.push(grouped(number));
            all
        }
        Bound::Millis(0) => vec!["0".to_owned()],
        Bound::Millis(ms) => scaled(
            ms,
            &[(1, " ms"), (1_000, " s"), (60_000, " min"), (3_600_000, " h"), (86_400_000, " days")],
        ),
    }
}

/// Whether `cell` holds `number` as a word of its own: not as the end of a longer number.
fn says(cell: &str, number: &str) -> bool {
    cell.match_indices(number).any(|(at, _)| {
        let before = cell[..at].chars().next_back();
        let after = cell[at + number.len()..].chars().next();
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == ',');
        !is_part(before) && !after.is_some_and(|c| c.is_ascii_alphanumeric())
    })
}

fn check(name: &str, bound: Bound, rows: &[Row]) -> Option<String> {
    let wanted = spellings(bound);
    let named: Vec<&Row> = rows.iter().filter(|row| row.place.split('`').any(|word| word == name)).collect();
    if named.is_empty() {
        return Some(format!("{name} has no row; its number is {}", wanted.join(" or ")));
    }
    let holds = named.iter().any(|row| wanted.iter().any(|number| says(&row.number, number)));
    (!holds).then(|| format!("{name} should say {}, and says {:?}", wanted.join(" or "), named[0].number))
}

/// Constants: name, and what they are set to.
fn constants(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
        let (name, rest) = line.strip_prefix("const ")?.split_once(": ")?;
        let (kind, value) = rest.strip_suffix(';')?.split_once(" = ")?;
        if kind.starts_with('&') {
            return None;
        }
        let is_limit =
            name.ends_with("_MAX") || name.ends_with("_MIN") || kind == "Duration" || kind == "TimeDelta";
        is_limit.then(|| (name.to_owned(), value.to_owned()))
    });
    lines.collect()
}

#[test]
fn every_constant_that_bounds_something_has_its_row() {
    let rows = rows();
    let mut broken = Vec::new();
    for file in shipped_sources() {
        for (name, value) in constants(&read_shipped(file)) {
            let name = format!("{}::{name}", module(file));
            match bound(&value) {
                Some(bound) => broken.extend(check(&name, bound, &rows)),
                None => broken.push(format!(
                    "{name} = {value} cannot be read: a product of numbers, or Duration::from_…"
                )),
            }
        }
    }
    none_of(&broken, "The table of limits in docs/limits.md is complete and right. Not so:");
}

#[test]
fn every_number_of_the_contracts_has_its_row() {
    let rows = rows();
    let text = read("jobs/src/limits.rs");
    let all = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("pub const ")?.split_once(": ")?;
        Some((format!("jobs::limits::{name}"), rest.strip_suffix(';')?.split_once(" = ")?.1.to_owned()))
    });
    let broken: Vec<String> = all
        .filter_map(|(name, value)| match bound(&value) {
            Some(bound) => check(&name, bound, &rows),
            None => Some(format!("{name} = {value} cannot be read")),
        })
        .collect();
    none_of(&broken, "jobs::limits in docs/limits.md:");
}

#[test]
fn every_bound_on_a_source_has_its_row() {
    let rows = rows();
    let mut broken = Vec::new();
    for module in ["picture_child", "film_child"] {
        let text = read(&format!("workers/src/{module}.rs"));
        let fields =
            text.split("pub const LIMITS: Limits = Limits {").nth(1).and_then(|rest| rest.split('}').next());
        for line in fields.expect("it has its LIMITS").lines() {
            let Some((name, value)) = line.trim().trim_end_matches(',').split_once(": ") else { continue };
            let bound = bound(value).unwrap_or_else(|| panic!("{name}: {value} cannot be read"));
            broken.extend(check(&format!("workers::{module}::LIMITS.{name}"), bound, &rows));
        }
    }
    none_of(&broken, "The bounds on pictures and films in docs/limits.md:");
}

#[test]
fn every_setting_with_a_number_has_its_row() {
    let rows = rows();
    let mut broken = Vec::new();
    for file in shipped_sources() {
        for attribute in read_shipped(file).split("#[arg(").skip(1) {
            let attribute = attribute.split(")]\n").next().unwrap_or_default();
            let after = |start: &str| attribute.split(start).nth(1).map(str::to_owned);
            let name = after("env = \"").and_then(|rest| Some(rest.split('"').next()?.to_owned()));
            let value = after("default_value_t = ").and_then(|rest| product(rest.split([',', ')']).next()?));
            let (Some(name), Some(value)) = (name, value) else { continue };
            let is_time = |unit: &str| name.ends_with(unit);
            let mut wanted = spellings(Bound::Count(value));
            if is_time("_MS") {
                wanted.extend(spellings(Bound::Millis(value)));
            } else if is_time("_S") {
                wanted.extend(spellings(Bound::Millis(value * 1_000)));
            } else if is_time("_DAYS") {
                wanted.extend(spellings(Bound::Millis(value * 86_400_000)));
            } else if is_time("_MIB") {
                wanted.extend(spellings(Bound::Count(value << 20)));
            }
            let named = rows.iter().find(|row| row.place.split('`').any(|word| word == name));
            match named {
                None => broken.push(format!("{name} has no row; its default is {}", wanted.join(" or "))),
                Some(row) if !wanted.iter().any(|number| says(&row.number, number)) => {
                    broken.push(format!(
                        "{name} should say {}, and says {:?}",
                        wanted.join(" or "),
                        row.number
                    ));
                }
                Some(_) => {}
            }
        }
    }
    none_of(&broken, "Defaults of settings in docs/limits.md:");
}

#[test]
fn rows_name_what_exists() {
    let sources: Vec<(String, String)> = shipped_sources().map(|file| (module(file), read(file))).collect();
    let mut broken = Vec::new();
    for row in rows() {
        for word in row.place.split('`').skip(1).step_by(2).filter(|word| word.contains("::")) {
            let Some((module, name)) = word.rsplit_once("::") else { continue };
            let name = name.split('.').next().unwrap_or_default();
            let is_there = sources.iter().any(|(known, text)| known == module && text.contains(name));
            if !is_there {
                broken.push(word.to_owned());
            }
        }
    }
    none_of(&broken, "docs/limits.md names limits that are gone:");
}

#[test]
fn numbers_are_read_and_spelled() {
    assert_eq!(bound("64 * 1024"), Some(Bound::Count(65_536)));
    assert_eq!(bound("Duration::from_secs(24 * 3600)"), Some(Bound::Millis(86_400_000)));
    assert_eq!(bound("Duration::from_hours(1)"), Some(Bound::Millis(3_600_000)));
    assert_eq!(bound("a_function()"), None);
    assert_eq!(spellings(Bound::Count(65_536)), ["64 KiB", "65,536"]);
    assert_eq!(spellings(Bound::Millis(120_000)), ["120,000 ms", "120 s", "2 min"]);
    assert!(
        says("64 KiB, refused with 422", "64 KiB") && !says("164 KiB", "64 KiB") && !says("1,000", "000")
    );
    assert_eq!(module("crates/store/src/release.rs"), "store::release");
    assert_eq!(module("crates/settings/src/lib.rs"), "settings");
}
