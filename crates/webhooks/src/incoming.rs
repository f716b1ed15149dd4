//! A message as it came in.

use crate::refusal::Refusal;

/// A message as it came in, before anything of it is believed.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The whole URL that the sender called, with its query: some schemes sign it.
    pub url: &'a str,
    /// The headers; names in lower case.
    pub headers: &'a [(String, String)],
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl<'a> Incoming<'a> {
    /// The first header called `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// A header that has to be there.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn needed(&self, name: &str) -> Result<&'a str, Refusal> {
        self.header(name).ok_or_else(|| Refusal::NoHeader(name.to_owned()))
    }

    /// A header that has to hold seconds since 1970.
    ///
    /// # Errors
    /// When it is not there, or holds something else.
    pub(crate) fn seconds(&self, name: &str) -> Result<i64, Refusal> {
        seconds(name, self.needed(name)?)
    }
}

/// Reads seconds since 1970 out of the header `name`.
pub(crate) fn seconds(name: &str, text: &str) -> Result<i64, Refusal> {
    let malformed =
        || Refusal::Malformed { header: name.to_owned(), reason: "its time is not a number of seconds" };
    text.trim().parse::<i64>().ok().filter(|seconds| *seconds >= 0).ok_or_else(malformed)
}
