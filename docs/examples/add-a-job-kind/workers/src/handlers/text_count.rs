//! Does `text.count`.

use jobs::{
    Outcome,
    kinds::text_count::{TextCount, TextCounted},
};
use store::logs::Level;

use crate::{cx::Cx, registry::Handle};

impl Handle for TextCount {
    async fn run(self, cx: &Cx<'_>) -> Outcome<TextCounted> {
        let words = count(&self.text);
        cx.log(Level::Info, format!("counted {words} words"));
        Ok(TextCounted { words })
    }
}

fn count(text: &str) -> u32 {
    text.split_whitespace().count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_white_space_separates() {
        assert_eq!(count("every photo\n  on time "), 4);
        assert_eq!(count(" "), 0);
    }
}
