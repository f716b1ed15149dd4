//! What a message cost, as its carrier says.

/// Characters of an amount.
const AMOUNT_CHARS_MAX: usize = 20;

/// What a message cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// A decimal number, such as `0.00750`.
    pub amount: String,
    /// ISO 4217, such as `USD`.
    pub currency: String,
}

impl Cost {
    /// Reads a carrier's words; none when they say no amount of a currency. What it takes from an account is below zero there.
    pub fn read(amount: &str, currency: &str) -> Option<Self> {
        let amount = amount.strip_prefix('-').unwrap_or(amount);
        let (whole, part) = amount.split_once('.').unwrap_or((amount, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_amount = amount.len() <= AMOUNT_CHARS_MAX && is_number(whole) && is_number(part);
        let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_alphabetic());
        (is_amount && is_currency)
            .then(|| Self { amount: amount.to_owned(), currency: currency.to_ascii_uppercase() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_of_a_currency_is_read_and_nothing_else() {
        for (amount, currency, read) in [
            ("-0.00750", "USD", Some(("0.00750", "USD"))),
            ("1", "eur", Some(("1", "EUR"))),
            ("0", "USD", Some(("0", "USD"))),
            ("", "USD", None),
            ("-", "USD", None),
            ("1.", "USD", None),
            (".5", "USD", None),
            ("1e3", "USD", None),
            ("--1", "USD", None),
            ("1.2.3", "USD", None),
            ("123456789012345678901", "USD", None),
            ("1", "US", None),
            ("1", "U\u{df}", None),
        ] {
            let read =
                read.map(|(amount, currency)| Cost { amount: amount.into(), currency: currency.into() });
            assert_eq!(Cost::read(amount, currency), read, "{amount} {currency}");
        }
    }
}
