//! The text of a statement without what differs from call to call, for logs and counts.
//!
//! `SELECT * FROM "Users" WHERE id IN (1, 2, ?3) -- by id` is `select * from users where id in (?)`. Literals and
//! parameters are `?`, a list of them is one, rows of them too; words and names are in lower case, without quotes;
//! comments are gone. What SQLite refuses is `?` as well, since it may be a literal that lacks its end.
//!
//! SQLite takes a name in double quotes that names nothing for a text. So one that is no plain word, or stands right
//! behind an operator or in `VALUES` without a dot after it, is `?`.

use super::names::{has, is_keyword};
use super::token::{Sort, Token, Tokens, is_name};
use crate::state::codec::checksum;

/// Bytes of a normal text, at most: it ends before the token that would be too much.
pub const TEXT_MAX: usize = 1_000;

/// Signs that nothing is put apart from on their right, respectively on their left.
const HUGS_NEXT: &[u8] = b"(.";
const HUGS_LAST: &[u8] = b"),.;";

/// The text of `sql` without literals, comments and layout; at most [`TEXT_MAX`] bytes. A normal text is its own.
#[must_use]
pub fn normal_text(sql: &str) -> String {
    let mut text = Vec::new();
    let mut tokens = Tokens::new(sql.as_bytes());
    let mut before: Option<Token<'_>> = None;
    let mut is_separated = false;
    let mut is_in_values = false;
    while let Some(token) = tokens.next() {
        if token.is(b';') {
            is_separated = !text.is_empty();
            continue;
        }
        let name;
        let word: &[u8] = match token.sort {
            Sort::Word => {
                name = token.name();
                is_in_values = has("values", &name) || is_in_values && !has("on returning select", &name);
                &name
            }
            Sort::Quoted if is_plain(&token.name()) && !is_text(token, before, is_in_values, tokens) => {
                name = token.name();
                &name
            }
            Sort::Sign => token.text,
            _ => b"?",
        };
        if text.len() + word.len() + 3 > TEXT_MAX {
            break;
        }
        if is_separated {
            text.push(b';');
            is_separated = false;
        }
        put(&mut text, word);
        before = Some(token);
    }
    // Tokens end between characters.
    String::from_utf8(text).unwrap_or_default()
}

/// A number for a normal text: FNV-1a, 32 bits.
#[must_use]
pub fn fingerprint(normal_text: &str) -> u32 {
    checksum(normal_text.as_bytes())
}

#[inline(never)]
fn put(text: &mut Vec<u8>, word: &[u8]) {
    if word == b"?" && text.ends_with(b"?,") {
        text.pop();
        return;
    }
    let last = text.last().copied().unwrap_or(b'(');
    let is_apart = match word {
        b"(" => !is_name(last) || is_keyword(last_word(text)),
        [sign, ..] if HUGS_LAST.contains(sign) => false,
        _ => true,
    };
    if is_apart && !HUGS_NEXT.contains(&last) {
        text.push(b' ');
    }
    text.extend_from_slice(word);
    if text.ends_with(b"(?), (?)") {
        text.truncate(text.len() - b", (?)".len());
    }
}

fn last_word(text: &[u8]) -> &[u8] {
    let start = text.iter().rposition(|&byte| !is_name(byte)).map_or(0, |at| at + 1);
    text.get(start..).unwrap_or_default()
}

/// Whether a name in double quotes stands where a text would.
fn is_text(token: Token<'_>, before: Option<Token<'_>>, is_in_values: bool, after: Tokens<'_>) -> bool {
    let follows_operator = before.is_some_and(|before| {
        before.sort == Sort::Sign && !b"(),.;".contains(before.text.first().unwrap_or(&0))
            || has("like glob match is", &before.name())
    });
    token.text.first() == Some(&b'"') && (follows_operator || is_in_values) && !after.sees(b'.')
}

/// Whether a name could stand without quotes, if it were no keyword.
fn is_plain(name: &[u8]) -> bool {
    name.first().is_some_and(|byte| is_name(*byte) && !byte.is_ascii_digit() && *byte != b'$')
        && name.iter().all(|&byte| is_name(byte))
        && name.first() != Some(&0xEF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_call_to_call_is_gone() {
        let table = [
            ("SELECT * FROM \"Users\" WHERE id IN (1, 2, ?3) -- by id", "select * from users where id in (?)"),
            ("select*from Users where id in(?)", "select * from users where id in (?)"),
            ("INSERT INTO t(a,b) VALUES (1,'x'),(2,x'00'),(:a,NULL);", "insert into t(a, b) values (?), (?, null)"),
            ("INSERT INTO t VALUES (1),(2) , (3)", "insert into t values (?)"),
            ("SELECT count( * ) , a . b FROM main . t", "select count(*), a.b from main.t"),
            ("SELECT a->>'$.x' FROM t LIMIT 10 OFFSET 20", "select a ->> ? from t limit ? offset ?"),
            ("SELECT 1; SELECT 2 ;", "select ?; select ?"),
            ("SELECT 'secret", "select ?"),
            ("SELECT * FROM t WHERE a = \"secret\" AND b LIKE \"x\"", "select * from t where a = ? and b like ?"),
            ("INSERT INTO t VALUES (1, \"secret\", null, \"x\")", "insert into t values (?, null, ?)"),
            (
                "INSERT INTO t VALUES (\"a\") ON CONFLICT (\"id\") DO UPDATE SET b = excluded.\"b\" RETURNING \"id\"",
                "insert into t values (?) on conflict (id) do update set b = excluded.b returning id",
            ),
            ("SELECT * FROM t JOIN \"u\" ON \"t\".\"id\" = \"u\".\"id\"", "select * from t join u on t.id = u.id"),
            ("SELECT [my table].a, \"it's\" FROM [my table]", "select ?.a, ? from ?"),
            ("/* only a comment */", ""),
        ];
        for (sql, expected) in table {
            assert_eq!(normal_text(sql), expected, "{sql:?}");
        }
    }

    #[test]
    fn a_long_text_ends_between_two_tokens() {
        let names: Vec<String> = (0..1_000).map(|at| format!("column_{at}")).collect();
        let text = normal_text(&format!("SELECT {} FROM t", names.join(",")));
        assert!(text.len() <= TEXT_MAX && text.len() > TEXT_MAX - 20, "{}", text.len());
        assert!(text.rsplit(' ').next().unwrap().starts_with("column_"), "{text}");
        let marks = vec!["?"; 10_000].join(",");
        assert_eq!(normal_text(&format!("SELECT a FROM t WHERE b IN ({marks})")), "select a from t where b in (?)");
    }
}
