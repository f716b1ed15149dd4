//! An expression as a sentence.

use crate::cron::Cron;

impl Cron {
    /// The expression in plain words: `At 02:30, on Monday.`
    pub fn describe(&self) -> String {
        let said = self.inner.describe();
        let said = match said.strip_prefix("At every ") {
            Some(rest) => format!("Every {rest}"),
            None => said,
        };
        // The library says the same of L and of LW.
        if self.days.split(',').any(|day| day == "LW") {
            said.replace("on the last day of the month", "on the last weekday of the month")
        } else {
            said
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_said_in_plain_words() {
        for (text, said) in [
            ("*/15 * * * *", "Every 15 minutes."),
            ("* * * * * *", "Every second."),
            ("@hourly", "At minute 0 past every hour."),
            ("30 2 * * MON-WED", "At 02:30, on Monday, Tuesday, and Wednesday."),
            ("0 9 * * 5L", "At 09:00, on the last Friday of the month."),
            ("0 0 LW * *", "At 00:00, on the last weekday of the month."),
            ("0 0 L * *", "At 00:00, on the last day of the month."),
            ("0 0 1 * +MON", "At 00:00, on day 1 (if it is also Monday)."),
        ] {
            assert_eq!(Cron::parse(text).unwrap().describe(), said, "{text}");
        }
    }
}
