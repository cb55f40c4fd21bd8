//! What a strong store is asked that lives elsewhere: [`Question`]s and [`Answer`](crate::http::exchange::Answer)s as JSON,
//! within bounds.

use crate::http::exchange::{CHANGES_MAX, Change, KEYS_MAX, Question};

/// Longest key, in bytes.
pub const KEY_MAX: usize = 512;
/// Longest text, in bytes: above that of the alerts of a fleet, the longest of all, and below the two megabytes that a row
/// of a Durable Object has.
pub const TEXT_MAX: usize = 1_900_000;
/// All texts of one swap, in bytes: two of the longest.
pub const TEXTS_MAX: usize = 2 * TEXT_MAX;
/// Longest question, in bytes: all texts of a swap, which are JSON and so have no more to escape than quotes and backslashes,
/// and all its keys, which may have anything.
pub const QUESTION_MAX: usize = 2 * TEXTS_MAX + CHANGES_MAX * (6 * KEY_MAX + 64);

/// Reads a question.
///
/// # Errors
///
/// What is wrong with it: nothing was done then.
pub fn read(text: &str) -> Result<Question, String> {
    if text.len() > QUESTION_MAX {
        return Err(format!("a question has at most {QUESTION_MAX} bytes"));
    }
    let question: Question = serde_json::from_str(text).map_err(|error| format!("this is no question: {error}"))?;
    match &question {
        Question::Read { key } => check_key(key)?,
        Question::List { prefix } if prefix.is_empty() => {}
        Question::List { prefix } => check_key(prefix)?,
        Question::ReadAll { keys } if keys.is_empty() || keys.len() > KEYS_MAX => {
            return Err(format!("1 to {KEYS_MAX} keys are read at a time"));
        }
        Question::ReadAll { keys } => keys.iter().try_for_each(|key| check_key(key))?,
        Question::Swap { changes } => check(changes)?,
        _ => return Err("this is no question of a strong store".to_owned()),
    }
    Ok(question)
}

/// Whether these changes may be asked for.
fn check(changes: &[Change]) -> Result<(), String> {
    if changes.is_empty() || changes.len() > CHANGES_MAX {
        return Err(format!("a swap has 1 to {CHANGES_MAX} changes"));
    }
    let mut bytes = 0;
    for (index, Change { key, expected, text }) in changes.iter().enumerate() {
        check_key(key)?;
        if changes[..index].iter().any(|change| change.key == *key) {
            return Err("a swap changes a key once".to_owned());
        }
        for text in [expected, text].into_iter().flatten() {
            if text.len() > TEXT_MAX {
                return Err(format!("a text has at most {TEXT_MAX} bytes"));
            }
            bytes += text.len();
        }
    }
    if bytes > TEXTS_MAX {
        return Err(format!("the texts of a swap have at most {TEXTS_MAX} bytes"));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), String> {
    if key.is_empty() || key.len() > KEY_MAX {
        return Err(format!("a key has 1 to {KEY_MAX} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::exchange::Answer;

    fn change(key: &str, expected: Option<&str>, text: Option<&str>) -> Change {
        Change { key: key.to_owned(), expected: expected.map(str::to_owned), text: text.map(str::to_owned) }
    }

    fn written(changes: Vec<Change>) -> String {
        serde_json::to_string(&Question::Swap { changes }).unwrap()
    }

    #[test]
    fn it_reads_what_hosts_ask_and_hosts_read_what_it_tells() {
        let key = || "orders/kill".to_owned();
        let changes =
            vec![change("a", None, Some("\u{0}\"")), change("b", Some("before"), None), change("c", None, None)];
        let questions = [
            Question::Read { key: key() },
            Question::List { prefix: String::new() },
            Question::swap(key(), None, Some("text".to_owned())),
            Question::Swap { changes },
        ];
        for question in questions {
            assert_eq!(read(&serde_json::to_string(&question).unwrap()), Ok(question));
        }
        let answer = |told: Answer| serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
        assert!(matches!(answer(Answer::Text(None)), Answer::Text(None)));
        assert!(matches!(answer(Answer::Swapped(true)), Answer::Swapped(true)));
        assert!(matches!(answer(Answer::Keys(vec![key()])), Answer::Keys(keys) if keys == [key()]));
        assert!(matches!(answer(Answer::Failed("x".to_owned())), Answer::Failed(problem) if problem == "x"));
    }

    /// H106: keys, texts and changes have bounds, and what is no question is refused.
    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let long = "a".repeat(TEXT_MAX);
        let many = |count: usize| (0..count).map(|key| change(&key.to_string(), None, Some("x"))).collect::<Vec<_>>();
        let much = |count: usize| (0..count).map(|key| change(&key.to_string(), None, Some(&long))).collect::<Vec<_>>();
        for text in [
            String::new(),
            "{}".to_owned(),
            r#"{"ask":"drop","key":"a"}"#.to_owned(),
            r#"{"ask":"logs"}"#.to_owned(),
            r#"{"ask":"readCached","key":"a"}"#.to_owned(),
            r#"{"ask":"read"}"#.to_owned(),
            r#"{"ask":"read","key":""}"#.to_owned(),
            r#"{"ask":"swap","key":"a","expected":null,"text":"a"}"#.to_owned(),
            format!(r#"{{"ask":"read","key":"{}"}}"#, "a".repeat(KEY_MAX + 1)),
            format!(r#"{{"ask":"list","prefix":"{}"}}"#, "a".repeat(KEY_MAX + 1)),
            format!(r#"{{"ask":"read","key":"a"}}{}"#, " ".repeat(QUESTION_MAX)),
            written(many(0)),
            written(many(CHANGES_MAX + 1)),
            written(much(TEXTS_MAX / TEXT_MAX + 1)),
            written(vec![change("a", None, Some("x")), change("b", None, None), change("a", None, Some("x"))]),
            written(vec![change("a", None, Some("x")), change("", None, Some("x"))]),
            written(vec![change("a", None, Some("x")), change("b", Some(&format!("{long}.")), None)]),
        ] {
            assert!(read(&text).is_err(), "{}", &text[..text.len().min(60)]);
        }
        assert!(read(&written(many(CHANGES_MAX))).is_ok());
        assert!(read(&written(much(TEXTS_MAX / TEXT_MAX))).is_ok());
    }

    /// H106: the longest question that is within bounds is read, whatever JSON must escape in texts that are JSON.
    #[test]
    fn the_longest_question_is_read() {
        let (key, text) = ("\u{1}".repeat(KEY_MAX - 2), "\"".repeat(TEXTS_MAX / CHANGES_MAX / 2));
        let longest = |number: usize| change(&format!("{key}{number}"), Some(&text), Some(&text));
        assert!(read(&written((0..CHANGES_MAX).map(longest).collect())).is_ok());
    }
}
