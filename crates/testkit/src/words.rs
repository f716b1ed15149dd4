//! What a program says to whoever watches it.

use std::io::Write;

/// One line for whoever watches. If nobody does any more, that is no reason to stop.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// With thousands apart, and no more digits than matter.
pub fn number(value: f64) -> String {
    if value.fract().abs() > f64::EPSILON && value.abs() < 100.0 {
        return if value.abs() < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    }
    let whole = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(1_234_567.0), "1,234,567");
        assert_eq!(number(12.345), "12.3");
        assert_eq!(number(1.5), "1.50");
        assert_eq!(number(-1_000.0), "-1,000");
    }
}
