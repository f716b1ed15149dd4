use proptest::prelude::*;

use super::*;

fn source(lines: &[&str]) -> Source {
    Source {
        subject: "Hello {{ name }}".to_owned(),
        lines: lines.iter().map(ToString::to_string).collect(),
        button: None,
        short: None,
        mjml: None,
    }
}

fn given(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let mut source =
        source(&["{{ order.address }} {% for item in items %}{{ item.title }}{% endfor %}", "{{ gone }}"]);
    source.button = Some(Button { label: "Go".to_owned(), url: "{{ link }}".to_owned() });
    let error = source.render(&given(&json!({"name": "Ada", "order": {}})), None).unwrap_err();
    assert_eq!(
        error,
        TemplateError::Missing(["gone", "items", "link", "order.address"].map(str::to_owned).to_vec())
    );
    assert_eq!(error.to_string(), "the template needs gone, items, link, order.address");
}

#[test]
fn what_only_shows_while_it_is_filled_in_stops_it_too() {
    let source = source(&["{% for item in items %}{{ item.title }}{% endfor %}"]);
    let error =
        source.render(&given(&json!({"name": "Ada", "items": [{"title": "x"}, {}]})), None).unwrap_err();
    assert!(matches!(&error, TemplateError::Failed { piece, .. } if piece == "/lines/0"), "{error:?}");
}

#[test]
fn a_piece_that_is_no_template_is_pointed_at() {
    let error = source(&["fine", "{{ open"]).wants().unwrap_err();
    assert!(matches!(&error, TemplateError::Unreadable { piece, .. } if piece == "/lines/1"), "{error:?}");
    let mut broken = source(&["fine"]);
    broken.mjml = Some("<mjml><mj-body>".to_owned());
    let error = broken.wants().unwrap_err();
    assert!(matches!(&error, TemplateError::Unreadable { piece, .. } if piece == "/mjml"), "{error:?}");
    assert!(matches!(source(&["x"; 41]).wants().unwrap_err(), TemplateError::TooLong { .. }));
}

#[test]
fn one_source_gives_every_form() {
    let mut source = source(&["Dear {{ name }},", "one\ntwo", "{% if no %}never{% endif %}"]);
    source.button = Some(Button { label: "Open".to_owned(), url: "{{ link }}".to_owned() });
    let variables = json!({"name": "Ada", "link": "https://example.com/a", "no": false});
    let rendered = source.render(&given(&variables), None).unwrap();
    assert_eq!(rendered.subject, "Hello Ada");
    assert_eq!(rendered.text(None), "Dear Ada,\n\none\ntwo\n\nOpen: https://example.com/a\n");
    assert_eq!(rendered.short, "Hello Ada https://example.com/a");
    assert!(
        rendered.html.contains("<!doctype html>") && rendered.html.contains("href=\"https://example.com/a\"")
    );
    assert!(rendered.html.contains("one<br"), "{}", rendered.html);
    let with_link = rendered.text(Some(("Unsubscribe", "https://example.com/u")));
    assert!(with_link.ends_with("\n--\nUnsubscribe: https://example.com/u\n"));
}

#[test]
fn a_frame_of_the_tenants_own_is_escaped_as_well() {
    let mut source = source(&["Dear {{ name }}"]);
    source.mjml = Some(
        "<mjml><mj-body><mj-section><mj-column><mj-text>{{ lines[0] }} of {{ firm }}</mj-text></mj-column></mj-section></mj-body></mjml>"
            .to_owned(),
    );
    assert_eq!(source.missing(&given(&json!({"name": "x"}))).unwrap(), ["firm"]);
    let rendered = source.render(&given(&json!({"name": "<b>", "firm": "A&B"})), None).unwrap();
    assert!(rendered.html.contains("Dear &lt;b&gt; of A&amp;B"), "{}", rendered.html);
}

#[test]
fn a_link_leads_to_the_web_and_nowhere_else() {
    let mut source = source(&["x"]);
    source.button = Some(Button { label: "Open".to_owned(), url: "{{ link }}".to_owned() });
    for bad in ["javascript:alert(1)", "data:text/html,x", "", "https://x y", "//example.com"] {
        let refused = source.render(&given(&json!({"name": "x", "link": bad})), None);
        assert!(matches!(refused, Err(TemplateError::Failed { .. })), "{bad}");
    }
}

#[test]
fn a_template_that_never_ends_is_ended() {
    let source = source(&["{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"]);
    assert!(matches!(source.render(&given(&json!({"name": "x"})), None), Err(TemplateError::Failed { .. })));
}

proptest! {
    #[test]
    fn no_name_becomes_markup_or_another_header(name in "(?s).{0,60}") {
        let source = source(&["<{{ name }}>"]);
        let rendered = source.render(&given(&json!({"name": name})), Some(("Stop", "https://example.com/u"))).unwrap();
        prop_assert!(!rendered.subject.chars().any(char::is_control));
        let bare = source.render(&given(&json!({"name": "x"})), Some(("Stop", "https://example.com/u"))).unwrap();
        prop_assert_eq!(rendered.html.matches("</").count(), bare.html.matches("</").count());
    }
}
