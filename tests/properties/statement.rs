//! The classifier of statements: no input harms it, and noise changes nothing.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::query::token::{Sort, Tokens};
use seawall::query::{Kind, Statement, normal_text};
use sqlite3_parser::lexer::Scanner;
use sqlite3_parser::lexer::sql::Tokenizer;

/// Pieces that statements are made of, and that go wrong in them.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: [&str; 78] = [
        "SELECT",
        "select",
        "FROM",
        "WITH",
        "RECURSIVE",
        "AS",
        "INSERT",
        "INTO",
        "UPDATE",
        "SET",
        "DELETE",
        "REPLACE",
        "VALUES",
        "JOIN",
        "ON",
        "WHERE",
        "IN",
        "OR",
        "UNION",
        "DO",
        "DISTINCT",
        "MATERIALIZED",
        "EXPLAIN",
        "QUERY",
        "PLAN",
        "PRAGMA",
        "BEGIN",
        "CREATE",
        "random",
        "date",
        "strftime",
        "load_extension",
        "CURRENT_TIME",
        "LIKE",
        "t",
        "u",
        "main",
        "temp",
        "sqlite_schema",
        "table_info",
        "\"t\"",
        "[t]",
        "`t`",
        "'t'",
        "'now'",
        "\"it's\"",
        "'it''s'",
        "x'00'",
        "x'0",
        "1",
        "1.5e3",
        "0x1F",
        "1_000",
        "?",
        "?1",
        ":a",
        "$a::b(c)",
        "(",
        ")",
        ",",
        ".",
        ";",
        "=",
        "*",
        "->",
        "->>",
        "-",
        "--",
        "/*",
        "*/",
        "'",
        "\"",
        "[",
        "\u{feff}",
        "\u{b}",
        "größe",
        "\0",
        "#",
    ];
    prop_oneof![9 => (0..PIECES.len()).prop_map(|at| PIECES[at].to_owned()), 1 => ".{0,5}"]
}

fn text() -> impl Strategy<Value = String> {
    vec((piece(), prop_oneof![Just(""), Just(" "), Just("\n"), Just("/**/")]), 0..40)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, gap)| piece + gap).collect())
}

/// Text without anything that SQLite refuses, each piece apart from the next.
fn whole() -> impl Strategy<Value = String> {
    let piece = piece().prop_filter("whole", |piece| {
        let sorts: Vec<Sort> = Tokens::new(piece.as_bytes()).map(|token| token.sort).collect();
        let has_comment = piece.contains("--") || piece.contains("/*");
        sorts.len() == 1 && sorts != [Sort::Illegal] && piece != ";" && !has_comment
    });
    vec(piece, 1..40).prop_map(|pieces| pieces.join(" "))
}

/// Ends and sorts of tokens up to the first one that is refused, by the other tokenizer. Keywords and names are words.
fn theirs(text: &str) -> Vec<(usize, Sort)> {
    use sqlite3_parser::dialect::TokenType;
    let mut scanner = Scanner::new(Tokenizer::new());
    let mut tokens = Vec::new();
    loop {
        match scanner.scan(text.as_bytes()) {
            Ok((_, None, _)) => return tokens,
            Ok((start, Some((_, kind)), end)) => {
                let first = text.as_bytes()[start];
                let sort = match kind {
                    TokenType::TK_STRING => Sort::Text,
                    TokenType::TK_BLOB => Sort::Blob,
                    TokenType::TK_INTEGER | TokenType::TK_FLOAT => Sort::Number,
                    TokenType::TK_VARIABLE => Sort::Variable,
                    TokenType::TK_ID if matches!(first, b'"' | b'`' | b'[') => Sort::Quoted,
                    _ if first.is_ascii_alphabetic() || first == b'_' || first >= 0x80 => Sort::Word,
                    _ => Sort::Sign,
                };
                tokens.push((end, sort));
            }
            Err(_) => {
                tokens.push((0, Sort::Illegal));
                return tokens;
            }
        }
    }
}

/// The same by ours.
fn ours(text: &str) -> Vec<(usize, Sort)> {
    let mut tokens = Vec::new();
    for token in Tokens::new(text.as_bytes()) {
        if token.sort == Sort::Illegal {
            tokens.push((0, Sort::Illegal));
            break;
        }
        let start = token.text.as_ptr() as usize - text.as_ptr() as usize;
        tokens.push((start + token.text.len(), token.sort));
    }
    tokens
}

/// Where the other tokenizer differs from SQLite's: marks of byte order, parameters with parentheses, vertical tabs, zeros,
/// comments that never end, and separators without a digit on both sides, which SQLite refuses only when it reads the number.
fn is_agreed(text: &str) -> bool {
    let has_odd_variable = Tokens::new(text.as_bytes()).any(|token| {
        let is_odd = token.text.contains(&b'(') || token.text.windows(2).any(|pair| pair == b"::");
        is_odd && matches!(token.text.first(), Some(b'$' | b':' | b'@' | b'#'))
    });
    let has_odd_number = Tokens::new(text.as_bytes()).any(|token| {
        token.sort == Sort::Number
            && token.text.split(|byte| *byte == b'_').enumerate().any(|(at, part)| {
                let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
                (at > 0 && !is_digit(part.first()))
                    || (at + 1 < token.text.split(|byte| *byte == b'_').count() && !is_digit(part.last()))
            })
    });
    !has_odd_variable
        && !has_odd_number
        && !text.contains(['\u{feff}', '\u{b}', '\0'])
        && text.rfind("/*").is_none_or(|at| text[at + 2..].contains("*/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn tokens_cover_any_bytes_in_order(bytes in vec(any::<u8>(), 0..200)) {
        let mut rest = &bytes[..];
        for token in Tokens::new(&bytes) {
            prop_assert!(!token.text.is_empty());
            let at = token.text.as_ptr() as usize - rest.as_ptr() as usize;
            rest = &rest[at + token.text.len()..];
            let _ = token.name();
        }
    }

    #[test]
    fn tokens_are_those_of_another_tokenizer(text in text()) {
        if is_agreed(&text) {
            prop_assert_eq!(ours(&text), theirs(&text), "{:?}", text);
        }
    }

    #[test]
    fn nothing_is_too_odd_for_it(text in text()) {
        let statement = Statement::of(&text);
        prop_assert!(!statement.is_cacheable || statement.kind == Kind::Read && !statement.touches_everything);
        prop_assert!(statement.kind != Kind::Read || statement.writes.is_empty());
        prop_assert!(statement.kind != Kind::Unknown || statement.touches_everything);
    }

    #[test]
    fn a_normal_text_is_its_own(text in text()) {
        let normal = normal_text(&text);
        prop_assert_eq!(normal_text(&normal), normal.clone());
        prop_assert!(normal.len() <= 1_000);
        for token in Tokens::new(normal.as_bytes()) {
            prop_assert!(!matches!(token.sort, Sort::Text | Sort::Quoted | Sort::Blob | Sort::Number | Sort::Illegal), "{}", normal);
        }
    }

    #[test]
    fn noise_changes_nothing(text in whole()) {
        let tokens: Vec<_> = Tokens::new(text.as_bytes()).collect();
        let mut noisy = String::from("/* ; ' */");
        for token in &tokens {
            let own = std::str::from_utf8(token.text).unwrap();
            let swapped: String = own.chars().map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
            noisy.push_str(if token.sort == Sort::Word { &swapped } else { own });
            noisy.push_str(" -- \"\n/**/\t");
        }
        prop_assert_eq!(Statement::of(&noisy), Statement::of(&text), "{}", noisy);
        prop_assert_eq!(normal_text(&noisy), normal_text(&text));
    }

    /// A second statement is never hidden behind a first one that reads.
    #[test]
    fn what_follows_a_semicolon_is_not_repeated(text in whole()) {
        prop_assert!(Statement::of(&format!("{text};DELETE FROM t")).kind != Kind::Read, "{}", text);
    }
}
