//! The words that end and begin text messages: those of the carriers, and nothing that only has them in it.

/// A word that carriers have a rule for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// No more.
    Stop,
    /// Again.
    Start,
    /// Who is this.
    Help,
}

/// As CTIA and Twilio list them. `YES` is not here: it answers questions that have nothing to do with this.
const STOP: [&str; 8] = ["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"];
const START: [&str; 2] = ["start", "unstop"];
const HELP: [&str; 2] = ["help", "info"];

impl Keyword {
    /// The keyword that `text` is: alone, in any case, and with no more around it than spaces and full stops.
    pub fn of(text: &str) -> Option<Self> {
        let word = text.trim_matches(|c: char| c.is_whitespace() || c == '.').to_ascii_lowercase();
        let word = word.as_str();
        if STOP.contains(&word) {
            Some(Self::Stop)
        } else if START.contains(&word) {
            Some(Self::Start)
        } else if HELP.contains(&word) {
            Some(Self::Help)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_stands_alone_whatever_its_case_and_what_is_around_it() {
        for text in ["STOP", "stop", " Stop. ", "sToP...", "\tSTOP\n", "StopAll", "UNSUBSCRIBE", "Optout"] {
            assert_eq!(Keyword::of(text), Some(Keyword::Stop), "{text:?}");
        }
        for text in ["START", " start ", "Unstop."] {
            assert_eq!(Keyword::of(text), Some(Keyword::Start), "{text:?}");
        }
        for text in ["HELP", "info."] {
            assert_eq!(Keyword::of(text), Some(Keyword::Help), "{text:?}");
        }
        for text in [
            "stop please",
            "please stop",
            "STOP!",
            "st op",
            "stopp",
            "dont stop",
            "",
            ".",
            "yes",
            "\u{405}TOP",
        ] {
            assert_eq!(Keyword::of(text), None, "{text:?}");
        }
    }
}
