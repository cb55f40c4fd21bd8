//! The head of the audit log in the read cache: what tells those who follow by way of it that an order is newer.
//!
//! Whoever wrote an order puts it there after the response. The cache may refuse: Workers KV takes one write a second of one
//! key. What it did not take is put there again later; if the isolate ends first, followers ask the strong store from time
//! to time themselves.

use crate::audit::HEAD_KEY;
use crate::http::exchange::{Answer, Cx, Next, Question};

/// The cache is told again of a head that came in between, so many times at most.
const PUTS_MAX: u32 = 3;

/// Puts the head that is in the strong store into the cache, and looks afterwards whether it was the newest: whoever puts last
/// has seen that it was. `then` gets whether nothing is left to be done.
pub(super) fn put(then: impl FnOnce(bool, &mut Cx<'_>) -> Next + 'static) -> Next {
    read(None, PUTS_MAX, then)
}

fn read(known: Option<String>, puts: u32, then: impl FnOnce(bool, &mut Cx<'_>) -> Next + 'static) -> Next {
    Next::ask(Question::Read { key: HEAD_KEY.to_owned() }, move |answer, cx| match answer {
        Answer::Text(Some(text)) if known.as_ref() == Some(&text) => then(true, cx),
        Answer::Text(Some(text)) if puts > 0 => {
            let question = Question::PutCached { key: HEAD_KEY.to_owned(), text: text.clone() };
            Next::ask(question, move |answer, cx| match answer {
                Answer::Cached(true) => read(Some(text), puts - 1, then),
                // Without a cache nobody follows it.
                Answer::Cached(false) => then(true, cx),
                _ => then(false, cx),
            })
        }
        _ => then(false, cx),
    })
}
