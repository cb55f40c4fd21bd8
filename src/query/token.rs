//! SQLite's tokens: the rules of its `tokenize.c`, one token at a time, nothing copied.
//!
//! Blanks and comments are skipped. What SQLite refuses (a literal without an end, a digit glued to a letter, a zero
//! byte) is one [`Sort::Illegal`] token, so that nobody takes its rest for something else. With `a /*x*/ ->> 'b--'`
//! the tokens are `a`, `->>` and `'b--'`.

use super::names::has;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A keyword or a bare name.
    Word,
    /// A name in `"…"`, `` `…` `` or `[…]`, its quotes included.
    Quoted,
    /// A text in `'…'`, its quotes included.
    Text,
    /// A blob, as `x'00ff'`.
    Blob,
    /// A number, with `_` between its digits or without.
    Number,
    /// A parameter: `?`, `?1`, `:a`, `@a`, `#a`, `$a::b(c)`.
    Variable,
    /// An operator or a sign, up to three characters.
    Sign,
    /// What SQLite refuses.
    Illegal,
}

/// One token and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub sort: Sort,
    /// Its bytes, as they stand in the statement.
    pub text: &'a [u8],
}

impl Token<'_> {
    /// Whether it is this sign of one character.
    #[must_use]
    pub fn is(&self, sign: u8) -> bool {
        self.sort == Sort::Sign && self.text == [sign]
    }

    /// Whether it is one of these words, which are in lower case with spaces between them.
    #[must_use]
    #[inline(never)]
    pub fn is_word(&self, words: &str) -> bool {
        self.sort == Sort::Word && has(words, &self.name())
    }

    /// The name, without quotes, its ASCII letters in lower case, as SQLite compares names.
    #[must_use]
    #[inline(never)]
    pub fn name(&self) -> Vec<u8> {
        let is_quoted = matches!(self.sort, Sort::Quoted | Sort::Text);
        let inner = if is_quoted { self.text.get(1..self.text.len().saturating_sub(1)) } else { Some(self.text) };
        let quote = if is_quoted { self.text.first() } else { None };
        let mut name = Vec::with_capacity(self.text.len());
        let mut was_quote = false;
        for byte in inner.unwrap_or_default() {
            // A quote within a name is written twice; `]` cannot be.
            was_quote = Some(byte) == quote && !was_quote && *byte != b'[';
            if !was_quote {
                name.push(byte.to_ascii_lowercase());
            }
        }
        name
    }
}

/// The tokens of one text. Copying it looks ahead.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    /// The tokens of `sql`, which may be any bytes.
    #[must_use]
    pub const fn new(sql: &'a [u8]) -> Self {
        Self { rest: sql }
    }

    /// The next token, which stays the next one.
    #[must_use]
    pub fn peek(mut self) -> Option<Token<'a>> {
        self.next()
    }

    /// Whether the next token is this sign.
    #[must_use]
    pub fn sees(self, sign: u8) -> bool {
        self.peek().is_some_and(|token| token.is(sign))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let &first = self.rest.first()?;
            let (sort, length) = scan(first, self.rest);
            let (text, rest) = self.rest.split_at(length.clamp(1, self.rest.len()));
            self.rest = rest;
            if let Some(sort) = sort {
                return Some(Token { sort, text });
            }
        }
    }
}

/// The byte at a place; beyond the end stands a zero, as in C.
#[inline(never)]
fn at(sql: &[u8], place: usize) -> u8 {
    sql.get(place).copied().unwrap_or(0)
}

/// The end of a run of bytes that begins at a place.
#[inline(never)]
fn run(sql: &[u8], from: usize, is_part: fn(u8) -> bool) -> usize {
    let mut end = from;
    while is_part(at(sql, end)) {
        end += 1;
    }
    end
}

/// Sort and length of what stands first; no sort for blanks and comments.
#[inline(never)]
fn scan(first: u8, sql: &[u8]) -> (Option<Sort>, usize) {
    let (second, third) = (at(sql, 1), at(sql, 2));
    let sort = match first {
        // A vertical tab is a blank after another one, and nothing by itself.
        b' ' | b'\t' | b'\n' | 0x0C | b'\r' => return (None, run(sql, 1, |byte| matches!(byte, b' ' | 9..=13))),
        b'-' if second == b'-' => return (None, run(sql, 2, |byte| byte != b'\n' && byte != 0)),
        b'/' if second == b'*' && third != 0 => return (None, comment(sql)),
        // A byte order mark.
        0xEF if second == 0xBB && third == 0xBF => return (None, 3),
        b'\'' | b'"' | b'`' => return quoted(first, sql),
        b'[' => {
            let end = run(sql, 1, |byte| byte != b']' && byte != 0);
            return if at(sql, end) == 0 { (Some(Sort::Illegal), end) } else { (Some(Sort::Quoted), end + 1) };
        }
        b'x' | b'X' if second == b'\'' => {
            let end = run(sql, 2, |byte| byte.is_ascii_hexdigit());
            let is_blob = at(sql, end) == b'\'' && end.is_multiple_of(2);
            let end = run(sql, end, |byte| byte != b'\'' && byte != 0);
            return (Some(if is_blob { Sort::Blob } else { Sort::Illegal }), end + usize::from(at(sql, end) != 0));
        }
        b'0'..=b'9' => return number(sql),
        b'.' if second.is_ascii_digit() => return number(sql),
        b'?' => return (Some(Sort::Variable), run(sql, 1, |byte| byte.is_ascii_digit())),
        b'$' | b'@' | b':' | b'#' => return variable(sql),
        b'(' | b')' | b';' | b'+' | b'-' | b'*' | b'/' | b'%' | b'=' | b'<' | b'>' | b'|' | b',' | b'&' | b'~'
        | b'.' => Sort::Sign,
        b'!' if second == b'=' => Sort::Sign,
        byte if is_name(byte) => return (Some(Sort::Word), run(sql, 1, is_name)),
        _ => Sort::Illegal,
    };
    let length = match (first, second, third) {
        (b'-', b'>', b'>') => 3,
        (b'-', b'>', _) | (b'=' | b'!', b'=', _) | (b'<', b'=' | b'>' | b'<', _) => 2,
        (b'>', b'=' | b'>', _) | (b'|', b'|', _) => 2,
        _ => 1,
    };
    (Some(sort), length)
}

/// A comment that never ends, ends with the text.
fn comment(sql: &[u8]) -> usize {
    let mut end = 3;
    while at(sql, end) != 0 && !(at(sql, end - 1) == b'*' && at(sql, end) == b'/') {
        end += 1;
    }
    end + usize::from(at(sql, end) != 0)
}

fn quoted(quote: u8, sql: &[u8]) -> (Option<Sort>, usize) {
    let mut end = 1;
    loop {
        match at(sql, end) {
            0 => return (Some(Sort::Illegal), end),
            byte if byte != quote => end += 1,
            _ if at(sql, end + 1) == quote => end += 2,
            _ => return (Some(if quote == b'\'' { Sort::Text } else { Sort::Quoted }), end + 1),
        }
    }
}

fn variable(sql: &[u8]) -> (Option<Sort>, usize) {
    let mut end = 1;
    let mut has_name = false;
    loop {
        match at(sql, end) {
            byte if is_name(byte) => has_name = true,
            b':' if at(sql, end + 1) == b':' => end += 1,
            b'(' if has_name => {
                end = run(sql, end, |byte| !matches!(byte, 0 | b')' | b' ' | 9..=13));
                let is_whole = at(sql, end) == b')';
                return (Some(if is_whole { Sort::Variable } else { Sort::Illegal }), end + usize::from(is_whole));
            }
            _ => return (Some(if has_name { Sort::Variable } else { Sort::Illegal }), end),
        }
        end += 1;
    }
}

fn number(sql: &[u8]) -> (Option<Sort>, usize) {
    let is_digit = |byte: u8| byte == b'_' || byte.is_ascii_digit();
    let mut end;
    if at(sql, 0) == b'0' && matches!(at(sql, 1), b'x' | b'X') && at(sql, 2).is_ascii_hexdigit() {
        end = run(sql, 2, |byte| byte == b'_' || byte.is_ascii_hexdigit());
    } else {
        end = run(sql, 0, is_digit);
        if at(sql, end) == b'.' {
            end = run(sql, end + 1, is_digit);
        }
        let sign = usize::from(matches!(at(sql, end + 1), b'+' | b'-'));
        if matches!(at(sql, end), b'e' | b'E') && at(sql, end + 1 + sign).is_ascii_digit() {
            end = run(sql, end + 1 + sign, is_digit);
        }
    }
    let glued = run(sql, end, is_name);
    (Some(if glued == end { Sort::Number } else { Sort::Illegal }), glued)
}

/// Whether a byte may stand in a bare name, though not begin it.
#[inline(never)]
pub(super) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sql: &str) -> String {
        let letter = |sort| match sort {
            Sort::Word => "w",
            Sort::Quoted => "q",
            Sort::Text => "t",
            Sort::Blob => "b",
            Sort::Number => "n",
            Sort::Variable => "v",
            Sort::Sign => "s",
            Sort::Illegal => "!",
        };
        let tokens = Tokens::new(sql.as_bytes());
        let shown: Vec<String> =
            tokens.map(|token| format!("{}:{}", letter(token.sort), String::from_utf8_lossy(token.text))).collect();
        shown.join(" ")
    }

    #[test]
    fn tokens_are_those_of_sqlite() {
        let table = [
            ("a--b\nc", "w:a w:c"),
            ("a/* /* b */c", "w:a w:c"),
            ("a/*/b*/c", "w:a w:c"),
            ("a/*", "w:a s:/ s:*"),
            ("a/**", "w:a"),
            ("a/* b", "w:a"),
            ("'it''s' \"a\"\"b\" `c``d` [e[f]g]", "t:'it''s' q:\"a\"\"b\" q:`c``d` q:[e[f] w:g !:]"),
            ("'a", "!:'a"),
            ("[a", "!:[a"),
            ("x'00fF' X'' x'0' x'0g' x'", "b:x'00fF' b:X'' !:x'0' !:x'0g' !:x'"),
            ("1 1.5 .5 1. 1e5 1E-5 1e 0x1F 1_000.2_5", "n:1 n:1.5 n:.5 n:1. n:1e5 n:1E-5 !:1e n:0x1F n:1_000.2_5"),
            ("1a 0x 12$", "!:1a !:0x !:12$"),
            ("?12 :a @b $c::d(e f $g::h(i) #j : $", "v:?12 v::a v:@b !:$c::d(e w:f v:$g::h(i) v:#j !:: !:$"),
            (
                "a->b->>'c'||d<>e!=f==g<=h>>i",
                "w:a s:-> w:b s:->> t:'c' s:|| w:d s:<> w:e s:!= w:f s:== w:g s:<= w:h s:>> w:i",
            ),
            ("größe \u{feff}a b\u{feff}", "w:größe w:a w:b\u{feff}"),
            (" \u{b}a", "w:a"),
            ("\u{b}a ^ ! \\ {", "!:\u{b} w:a !:^ !:! !:\\ !:{"),
            ("a\0b", "w:a !:\0 w:b"),
        ];
        for (sql, expected) in table {
            assert_eq!(shown(sql), expected, "{sql:?}");
        }
    }

    #[test]
    fn names_are_compared_without_quotes_and_case() {
        let names = ["Users", "\"Users\"", "[USERS]", "`users`", "'users'"];
        for name in names {
            let token = Tokens::new(name.as_bytes()).next().unwrap();
            assert_eq!(token.name(), b"users", "{name}");
        }
        assert_eq!(Tokens::new(b"\"a\"\"\"\"b\"").next().unwrap().name(), b"a\"\"b");
        assert_eq!(Tokens::new("ÄB".as_bytes()).next().unwrap().name(), "Äb".as_bytes());
    }
}
