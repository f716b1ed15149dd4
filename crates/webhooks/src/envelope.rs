//! What happened, as CloudEvents 1.0 in structured JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Which; the same however often it is told.
    pub id: &'a str,
    /// Whose.
    pub tenant: &'a str,
    /// What.
    pub event_type: &'a str,
    /// To what.
    pub subject: &'a str,
    /// When.
    pub time: DateTime<Utc>,
    /// The rest.
    pub data: &'a Value,
}

impl Event<'_> {
    /// The body of a message: the same bytes each time it is sent.
    pub fn envelope(&self) -> String {
        json!({
            "specversion": "1.0",
            "id": self.id,
            "source": format!("urn:crewline:{}", self.tenant),
            "type": self.event_type,
            "subject": self.subject,
            "time": self.time.to_rfc3339_opts(SecondsFormat::Micros, true),
            "datacontenttype": "application/json",
            "data": self.data,
        })
        .to_string()
    }
}
