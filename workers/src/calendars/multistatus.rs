//! What calendar servers answer: 207 and a list, in XML (RFC 4918, 4791, 6578).

use roxmltree::{Document, Node, ParsingOptions};

/// Parts of one answer.
const NODES_MAX: u32 = 500_000;
const DAV: &str = "DAV:";
const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";

/// A list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Multistatus {
    pub(super) entries: Vec<Entry>,
    /// Up to where it tells.
    pub(super) token: Option<String>,
}

/// One thing of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) href: String,
    /// What was answered about it as a whole.
    pub(super) status: Option<u16>,
    pub(super) etag: Option<String>,
    pub(super) data: Option<String>,
    pub(super) is_calendar: bool,
    /// It may hold appointments; so may one that does not say what it holds.
    pub(super) takes_events: bool,
    pub(super) principal: Option<String>,
    pub(super) home: Option<String>,
}

/// The list in `xml`; none when it is none.
pub(super) fn parse(xml: &[u8]) -> Option<Multistatus> {
    let document = document(xml)?;
    let root = document.root_element();
    if !root.has_tag_name((DAV, "multistatus")) {
        return None;
    }
    let responses = root.children().filter(|node| node.has_tag_name((DAV, "response")));
    Some(Multistatus {
        entries: responses.map(entry).collect(),
        token: child(root, DAV, "sync-token").map(text_of),
    })
}

/// Whether an error says that this was not met, of what has to be (RFC 4918, 16).
pub(super) fn is_unmet(xml: &[u8], condition: &str) -> bool {
    document(xml).is_some_and(|document| {
        let root = document.root_element();
        root.has_tag_name((DAV, "error")) && child(root, DAV, condition).is_some()
    })
}

fn document(xml: &[u8]) -> Option<Document<'_>> {
    let text = std::str::from_utf8(xml).ok()?;
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).ok()
}

fn entry(response: Node<'_, '_>) -> Entry {
    let mut entry = Entry {
        href: child(response, DAV, "href").map(text_of).unwrap_or_default(),
        status: child(response, DAV, "status").and_then(status),
        takes_events: true,
        ..Entry::default()
    };
    for stat in response.children().filter(|node| node.has_tag_name((DAV, "propstat"))) {
        let is_there = child(stat, DAV, "status").and_then(status).is_none_or(|status| status == 200);
        if let Some(props) = child(stat, DAV, "prop").filter(|_| is_there) {
            properties(props, &mut entry);
        }
    }
    entry
}

fn properties(props: Node<'_, '_>, entry: &mut Entry) {
    let href = |node: Node<'_, '_>| child(node, DAV, "href").map(text_of);
    for prop in props.children().filter(Node::is_element) {
        let tag = prop.tag_name();
        match (tag.namespace(), tag.name()) {
            (Some(DAV), "getetag") => entry.etag = Some(text_of(prop)).filter(|etag| !etag.is_empty()),
            (Some(DAV), "resourcetype") => entry.is_calendar = child(prop, CALDAV, "calendar").is_some(),
            (Some(DAV), "current-user-principal") => entry.principal = href(prop),
            (Some(CALDAV), "calendar-home-set") => entry.home = href(prop),
            (Some(CALDAV), "calendar-data") => entry.data = Some(text_of(prop)),
            (Some(CALDAV), "supported-calendar-component-set") => {
                let mut names = prop.children().filter_map(|comp| comp.attribute("name"));
                entry.takes_events = names.any(|name| name.eq_ignore_ascii_case("VEVENT"));
            }
            _ => {}
        }
    }
}

fn child<'a, 'input>(node: Node<'a, 'input>, space: &str, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name((space, name)))
}

fn text_of(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}

/// The number in `HTTP/1.1 404 Not Found`.
fn status(node: Node<'_, '_>) -> Option<u16> {
    node.text()?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whatever_its_prefixes_and_its_order() {
        let xml = r#"<?xml version="1.0"?><ns0:multistatus xmlns:ns0="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">
            <ns0:response><ns0:href> /a/1.ics </ns0:href><ns0:propstat><ns0:prop><ns0:getetag>"1"</ns0:getetag>
                <c:calendar-data>BEGIN:VCALENDAR</c:calendar-data></ns0:prop><ns0:status>HTTP/1.1 200 OK</ns0:status>
                </ns0:propstat></ns0:response>
            <ns0:response><ns0:href>/a/2.ics</ns0:href><ns0:status>HTTP/1.1 404 Not Found</ns0:status></ns0:response>
            <ns0:response><ns0:href>/a/</ns0:href><ns0:propstat><ns0:prop><ns0:getetag>"no"</ns0:getetag></ns0:prop>
                <ns0:status>HTTP/1.1 404 Not Found</ns0:status></ns0:propstat><ns0:propstat><ns0:prop>
                <ns0:resourcetype><ns0:collection/><c:calendar/></ns0:resourcetype>
                <c:supported-calendar-component-set><c:comp name="VJOURNAL"/></c:supported-calendar-component-set></ns0:prop>
                <ns0:status>HTTP/1.1 200 OK</ns0:status></ns0:propstat></ns0:response>
            <ns0:sync-token>t7</ns0:sync-token></ns0:multistatus>"#;
        let list = parse(xml.as_bytes()).unwrap();
        assert_eq!(list.token.as_deref(), Some("t7"));
        let [one, two, three] = &list.entries[..] else { panic!("{list:?}") };
        assert_eq!((one.href.as_str(), one.etag.as_deref()), ("/a/1.ics", Some("\"1\"")));
        assert_eq!(one.data.as_deref(), Some("BEGIN:VCALENDAR"));
        assert_eq!((two.status, two.etag.as_deref()), (Some(404), None));
        assert!(three.is_calendar && !three.takes_events && three.etag.is_none());
    }

    #[test]
    fn an_error_is_known_by_what_was_not_met() {
        let of = |xml: &str| is_unmet(xml.as_bytes(), "supported-report");
        assert!(of(r#"<?xml version="1.0"?><D:error xmlns:D="DAV:"><D:supported-report/></D:error>"#));
        for other in [
            "",
            r#"<error xmlns="DAV:"><need-privileges/></error>"#,
            "<error><supported-report/></error>",
            r#"<multistatus xmlns="DAV:"><supported-report/></multistatus>"#,
        ] {
            assert!(!of(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_list_is_none() {
        for text in ["", "not xml", "<html/>", "<multistatus/>", "<a><multistatus xmlns='DAV:'/></a>"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        // Entities that grow, and a document without end.
        let bomb = r#"<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><multistatus xmlns="DAV:">&b;</multistatus>"#;
        assert_eq!(parse(bomb.as_bytes()), None);
    }
}
