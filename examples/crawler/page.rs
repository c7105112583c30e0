//! Links out of HTML.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{HtmlString, StartTag, Token, Tokenizer};

use crate::url::Url;

/// The addresses that a page links to, each once, in the order of the page.
pub(crate) fn links(page: &Url, html: &[u8]) -> Vec<Url> {
    // So that what looks like a tag inside of a script, a style or a title is none.
    let mut emitter = DefaultEmitter::<()>::default();
    emitter.naively_switch_states(true);
    let mut base = page.clone();
    let mut has_base = false;
    let mut found = Vec::new();
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
        let Token::StartTag(tag) = token else { continue };
        let name: &[u8] = &tag.name;
        match name {
            // The first one counts, for what follows it.
            b"base" if !has_base => {
                if let Some(url) = attribute(&tag, b"href").and_then(|reference| page.join(&reference)) {
                    base = url;
                    has_base = true;
                }
            }
            b"a" | b"area" => found.extend(attribute(&tag, b"href").and_then(|text| base.join(&text))),
            b"frame" | b"iframe" => {
                found.extend(attribute(&tag, b"src").and_then(|text| base.join(&text)));
            }
            _ => {}
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|url| seen.insert(url.clone()));
    found
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<String> {
    tag.attributes.get(name).map(|value| {
        let value: &HtmlString = &value.value;
        String::from_utf8_lossy(value).into_owned()
    })
}
