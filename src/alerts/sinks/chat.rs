//! Slack and Discord: one line of text, in which nothing is a mention, a link or markup.

use serde_json::{Value, json};

use super::line;
use crate::alerts::lifecycle::Event;

/// Longest text of a message in Discord, in UTF-16 units: it counts fewer.
const DISCORD_MAX: usize = 2_000;
/// Longest text of a message in Slack, in bytes before it is escaped. Slack cuts off above 40,000.
const SLACK_MAX: usize = 4_000;

/// For Slack: `&`, `<` and `>` are escaped, as mentions and links are made of them, and the rest is no markup.
pub(super) fn slack(event: &Event) -> Value {
    let line = line(event);
    let line = line.get(..line.floor_char_boundary(SLACK_MAX)).unwrap_or_default();
    let text = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": text, "mrkdwn": false, "link_names": false, "unfurl_links": false, "unfurl_media": false })
}

/// For Discord: markup is escaped, and nobody is mentioned.
pub(super) fn discord(event: &Event) -> Value {
    let mut content = String::new();
    let mut units = 0;
    for c in line(event).chars() {
        let is_markup =
            matches!(c, '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '-' | '[' | ']' | '(' | ')' | '\\' | ':');
        units += c.len_utf16() + usize::from(is_markup);
        if units > DISCORD_MAX {
            break;
        }
        if is_markup {
            content.push('\\');
        }
        content.push(c);
    }
    json!({ "content": content, "allowed_mentions": { "parse": [] } })
}
