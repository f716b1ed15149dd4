//! The fields of an expression, one by one: so that a refusal can name the one that is wrong.

use croner::parser::{CronParser, Seconds, Year};

/// Why an expression was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    reason: String,
}

impl Refused {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// What a field may hold.
pub(crate) struct Field {
    name: &'static str,
    takes: &'static str,
    /// The longest step that means something.
    step_max: u32,
    /// Names that may stand for numbers.
    names: &'static [&'static str],
    /// Letters with a meaning of their own.
    letters: &'static str,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Seconds first; an expression of five fields has none.
pub(crate) const FIELDS: [Field; 6] = [
    Field { name: "second", takes: "0 to 59", step_max: 59, names: &[], letters: "" },
    Field { name: "minute", takes: "0 to 59", step_max: 59, names: &[], letters: "" },
    Field { name: "hour", takes: "0 to 23", step_max: 23, names: &[], letters: "" },
    Field {
        name: "day of month",
        takes: "1 to 31, L for the last day, 15W for the weekday nearest the 15th",
        step_max: 30,
        names: &[],
        letters: "LW",
    },
    Field { name: "month", takes: "1 to 12 or JAN to DEC", step_max: 11, names: &MONTHS, letters: "" },
    Field {
        name: "day of week",
        takes: "0 to 7 or SUN to SAT (0 and 7 are Sunday), MON#2 for the second Monday, 5L for the last Friday",
        step_max: 6,
        names: &WEEKDAYS,
        letters: "L",
    },
];

/// The one way in which expressions are read.
pub(crate) fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).build()
}

/// Checks each of six fields alone: the first that is wrong is named.
pub(crate) fn check(fields: &[&str], shift: usize) -> Result<(), Refused> {
    for (at, (field, text)) in FIELDS.iter().zip(fields).enumerate() {
        let Err(reason) = field.check(text, at) else { continue };
        let number = at + 1 - shift;
        let Field { name, takes, .. } = field;
        return Err(Refused::new(format!(
            "field {number} ({name}), {text:?}: {reason}; it takes {takes}, with lists (1,2), ranges from low to high \
             (1-5) and steps (*/2, 1-5/2)"
        )));
    }
    Ok(())
}

impl Field {
    fn check(&self, text: &str, at: usize) -> Result<(), String> {
        for part in text.trim_start_matches('+').split(',') {
            if part.is_empty() {
                return Err("a part of the list is empty".to_owned());
            }
            self.check_words(part)?;
            let step = part.split_once('/').and_then(|(_, step)| step.parse::<u32>().ok());
            if step.is_some_and(|step| step > self.step_max) {
                return Err(format!("a step of more than {} never comes twice", self.step_max));
            }
        }
        if self.name == "day of week" && text == "L" {
            return Err("the last of which weekday?".to_owned());
        }
        // The others say nothing, so it is this one that is wrong.
        let mut alone = ["*"; 6];
        alone[at] = text;
        parser().parse(&alone.join(" ")).map(drop).map_err(|error| reason(&error.to_string()))
    }

    /// Letters make a name that is known here, or each has a meaning of its own.
    fn check_words(&self, part: &str) -> Result<(), String> {
        for word in part.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
            let known =
                self.names.contains(&word) || word.chars().all(|letter| self.letters.contains(letter));
            if !known {
                return Err(format!("{word} means nothing here"));
            }
        }
        Ok(())
    }
}

/// What the parser said, as the middle of a sentence.
fn reason(said: &str) -> String {
    let said = said.rsplit_once("error: ").map_or(said, |(_, said)| said);
    let said = said.split_once("characters: CronPattern contains ").map_or(said, |(_, said)| said);
    let said = said.split(" in part ").next().unwrap_or(said).trim_end_matches('.');
    let mut letters = said.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
