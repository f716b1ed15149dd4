//! What pages say is in every catalogue, and catalogues hold nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::{files_with, none_of, read, read_shipped};

/// A text, after its context; that is empty for most.
type Text<'a> = (&'a str, &'a str);

/// The text literal that `rest` begins with, as it is written, and what follows.
fn literal(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.trim_start().strip_prefix('"')?;
    let mut is_escaped = false;
    let end = rest.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    Some((&rest[..end], &rest[end + 1..]))
}

/// The texts that `source` shows through its marks: `tr!("one" | "more" % n)` has two.
fn shown(source: &str) -> BTreeSet<Text<'_>> {
    let mut shown = BTreeSet::new();
    for mark in ["tr!(", "mark!("] {
        for (at, _) in source.match_indices(mark) {
            let is_word = source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let Some((text, rest)) = literal(&source[at + mark.len()..]).filter(|_| !is_word) else {
                continue;
            };
            let after_context = rest.trim_start().strip_prefix("=>").and_then(literal);
            let context = if after_context.is_some() { text } else { "" };
            let (text, rest) = after_context.unwrap_or((text, rest));
            shown.insert((context, text));
            let more = rest.trim_start().strip_prefix('|').and_then(literal);
            shown.extend(more.map(|(text, _)| (context, text)));
        }
    }
    shown
}

/// The texts of a catalogue (gettext's PO), each with what it is in the language; of two for a number, the two forms.
fn translated(catalogue: &str) -> BTreeMap<Text<'_>, &str> {
    let mut entries = BTreeMap::new();
    let (mut context, mut one, mut more) = ("", "", None);
    for line in catalogue.lines() {
        let Some((keyword, text)) =
            line.split_once(' ').and_then(|(word, rest)| Some((word, literal(rest)?.0)))
        else {
            // An entry ends with an empty line, and its context with it.
            if line.is_empty() {
                context = "";
            }
            continue;
        };
        match keyword {
            "msgctxt" => context = text,
            "msgid" => (one, more) = (text, None),
            "msgid_plural" => more = Some(text),
            "msgstr" | "msgstr[0]" => {
                assert!(entries.insert((context, one), text).is_none(), "{one:?} stands twice");
            }
            _ => drop(more.map(|more| entries.insert((context, more), text))),
        }
    }
    entries.remove(&("", ""));
    entries
}

/// The names of what is put into a text.
fn places(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

#[test]
fn every_text_of_a_page_is_in_every_catalogue() {
    let pages = files_with("rs").filter(|name| name.starts_with("api/src/ops/"));
    let sources: Vec<String> = pages.map(read_shipped).collect();
    let shown: BTreeSet<Text<'_>> = sources.iter().flat_map(|source| shown(source)).collect();
    assert!(shown.len() > 300, "the texts were not found");
    let catalogues: Vec<&str> = files_with("po").collect();
    assert!(!catalogues.is_empty(), "there are catalogues");
    let mut broken = Vec::new();
    for name in catalogues {
        let catalogue = read(name);
        let translated = translated(&catalogue);
        let known: BTreeSet<Text<'_>> = translated.keys().copied().collect();
        broken.extend(shown.difference(&known).map(|text| format!("{name} lacks {text:?}")));
        broken
            .extend(known.difference(&shown).map(|text| format!("{name} has {text:?}, which no page shows")));
        for ((_, text), said) in translated {
            if said.is_empty() || places(text) != places(said) {
                broken.push(format!("{name} says {said:?} for {text:?}"));
            }
            if said.contains(['<', '>', '&']) || text.contains(['<', '>', '&']) {
                broken.push(format!("{name} has markup in {text:?}"));
            }
        }
    }
    none_of(&broken, "Each text that tr! or mark! has stands once in each catalogue of api/locales.");
}

#[test]
fn texts_and_entries_are_read_as_they_are_written() {
    let source =
        r#"tr!("a \"b\""), include_str!("x"), tr!(  "one" | "more {n}" % 2), mark!("c"), tr!("here" => "d")"#;
    let texts = [("", "a \\\"b\\\""), ("", "c"), ("", "more {n}"), ("", "one"), ("here", "d")];
    assert_eq!(shown(source), BTreeSet::from(texts));
    let catalogue = "msgid \"\"\nmsgstr \"\"\n\"x\"\n\nmsgid \"a\"\nmsgstr \"b\"\n\nmsgid \"one\"\nmsgid_plural \"more\"\nmsgstr[0] \"eins\"\nmsgstr[1] \"mehr\"\n\nmsgctxt \"here\"\nmsgid \"a\"\nmsgstr \"c\"\n";
    assert_eq!(
        translated(catalogue),
        BTreeMap::from([
            (("", "a"), "b"),
            (("", "one"), "eins"),
            (("", "more"), "mehr"),
            (("here", "a"), "c")
        ])
    );
    assert_eq!(places("{a} of {b}"), BTreeSet::from(["a", "b"]));
}
