//! What a strong store is asked that lives elsewhere, and what it tells: JSON, in the words of
//! [`Question`](crate::http::exchange::Question) and [`Answer`](crate::http::exchange::Answer).

use serde::{Deserialize, Serialize};

/// Longest key, in bytes.
pub const KEY_MAX: usize = 512;
/// Longest text, in bytes: above that of the alerts of a fleet, the longest of all, and below the two megabytes that a row
/// of a Durable Object has.
pub const TEXT_MAX: usize = 1_900_000;
/// Longest question, in bytes: two texts, with what JSON has to escape in them.
pub const QUESTION_MAX: usize = 8_000_000;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase")]
pub enum Ask {
    /// The text under a key. [`Told::Text`].
    Read {
        /// Which.
        key: String,
    },
    /// A compare and set. [`Told::Swapped`].
    Swap {
        /// Where.
        key: String,
        /// What must be there.
        expected: Option<String>,
        /// What takes its place.
        text: Option<String>,
    },
    /// The keys under a prefix. [`Told::Keys`].
    List {
        /// What they begin with.
        prefix: String,
    },
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Told {
    /// The text, if there is one.
    Text(Option<String>),
    /// Whether it was done.
    Swapped(bool),
    /// The keys, in order.
    Keys(Vec<String>),
    /// It could not be done.
    Failed(String),
}

impl Ask {
    /// Reads a question.
    ///
    /// # Errors
    ///
    /// What is wrong with it: nothing was done then.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > QUESTION_MAX {
            return Err(format!("a question has at most {QUESTION_MAX} bytes"));
        }
        let ask: Self = serde_json::from_str(text).map_err(|error| format!("this is no question: {error}"))?;
        let (key, texts) = match &ask {
            Self::Read { key } | Self::List { prefix: key } => (key, [None, None]),
            Self::Swap { key, expected, text } => (key, [expected.as_ref(), text.as_ref()]),
        };
        if key.len() > KEY_MAX || (key.is_empty() && !matches!(ask, Self::List { .. })) {
            return Err(format!("a key has 1 to {KEY_MAX} bytes"));
        }
        if texts.into_iter().flatten().any(|text| text.len() > TEXT_MAX) {
            return Err(format!("a text has at most {TEXT_MAX} bytes"));
        }
        Ok(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::exchange::{Answer, Question};

    #[test]
    fn it_reads_what_hosts_ask_and_hosts_read_what_it_tells() {
        let key = || "orders/kill".to_owned();
        let pairs = [
            (Question::Read { key: key() }, Ask::Read { key: key() }),
            (Question::List { prefix: String::new() }, Ask::List { prefix: String::new() }),
            (
                Question::Swap { key: key(), expected: None, text: Some("\u{0}\"".to_owned()) },
                Ask::Swap { key: key(), expected: None, text: Some("\u{0}\"".to_owned()) },
            ),
        ];
        for (question, ask) in pairs {
            assert_eq!(Ask::read(&serde_json::to_string(&question).unwrap()), Ok(ask));
        }
        let answer = |told| serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
        assert!(matches!(answer(Told::Text(None)), Answer::Text(None)));
        assert!(matches!(answer(Told::Swapped(true)), Answer::Swapped(true)));
        assert!(matches!(answer(Told::Keys(vec![key()])), Answer::Keys(keys) if keys == [key()]));
        assert!(matches!(answer(Told::Failed("x".to_owned())), Answer::Failed(problem) if problem == "x"));
    }

    /// H106: keys and texts have bounds, and what is no question is refused.
    #[test]
    fn what_is_out_of_bounds_is_refused() {
        for text in [
            String::new(),
            "{}".to_owned(),
            r#"{"ask":"drop","key":"a"}"#.to_owned(),
            r#"{"ask":"read"}"#.to_owned(),
            r#"{"ask":"read","key":""}"#.to_owned(),
            format!(r#"{{"ask":"read","key":"{}"}}"#, "a".repeat(KEY_MAX + 1)),
            format!(r#"{{"ask":"swap","key":"a","expected":null,"text":"{}"}}"#, "a".repeat(TEXT_MAX + 1)),
            format!(r#"{{"ask":"read","key":"a"}}{}"#, " ".repeat(QUESTION_MAX)),
        ] {
            assert!(Ask::read(&text).is_err(), "{}", &text[..text.len().min(60)]);
        }
        let longest = format!(r#"{{"ask":"swap","key":"{}","text":"{}"}}"#, "a".repeat(KEY_MAX), "a".repeat(TEXT_MAX));
        assert!(Ask::read(&longest).is_ok());
    }
}
