//! Server-sent events, as the WHATWG writes them down.

/// The longest event that is taken.
const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    /// What it is.
    pub(crate) name: String,
    /// What it says.
    pub(crate) data: String,
    /// Where a stream goes on after it.
    pub(crate) id: Option<String>,
}

/// Puts events together from pieces that come as they like.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// The line that is not over yet.
    line: Vec<u8>,
    event: Raw,
}

/// An event takes more than [`EVENT_BYTES_MAX`].
#[derive(Debug)]
pub(crate) struct TooLong;

impl Parser {
    /// The events that are complete with `piece`.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Vec<Raw>, TooLong> {
        let mut events = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() + self.event.data.len() > EVENT_BYTES_MAX {
                return Err(TooLong);
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                events.extend(self.line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n'])));
            }
        }
        Ok(events)
    }

    fn line(&mut self, line: &str) -> Option<Raw> {
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            let is_told = !event.data.is_empty();
            event.data.truncate(event.data.trim_end_matches('\n').len());
            return is_told.then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                self.event.data.push_str(value);
                self.event.data.push('\n');
            }
            // A comment, or a field for browsers.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(name: &str, data: &str, id: Option<&str>) -> Raw {
        Raw { name: name.into(), data: data.into(), id: id.map(str::to_owned) }
    }

    #[test]
    fn events_are_put_together_however_they_are_cut() {
        let text = ": open\n\nevent: log\nid: 7\ndata: {\"a\":1}\n\nevent: end\r\ndata: one\r\ndata: two\r\n\r\n: still here\n\n";
        let wanted = vec![raw("log", "{\"a\":1}", Some("7")), raw("end", "one\ntwo", None)];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let events: Vec<Raw> =
                text.as_bytes().chunks(size).flat_map(|piece| parser.push(piece).unwrap()).collect();
            assert_eq!(events, wanted, "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; EVENT_BYTES_MAX / 4];
        assert!((0..4).all(|_| parser.push(&piece).is_ok()));
        assert!(parser.push(&piece).is_err());
    }
}
