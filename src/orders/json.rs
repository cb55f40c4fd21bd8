//! JSON that can be read in one way only: what others would read otherwise, or could not hold, is refused.
//!
//! `{"percent": 5, "percent": 50}` is 5 to one reader and 50 to the next; `9007199254740993` is another number in
//! JavaScript; `1e-400` is 0. An order with one of those would hold differently in different places.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Deserializer, Map, Number, Value};

/// Objects and arrays within each other, at most.
pub const DEPTH_MAX: usize = 32;
/// The greatest whole number that every reader holds exactly: 2^53 - 1.
pub const NUMBER_MAX: u64 = 9_007_199_254_740_991;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is no JSON. Where, and what was expected.
    Malformed(String),
    /// It is JSON, and cannot be taken. Which part, and why.
    Unusable(String),
}

/// Reads one JSON value and nothing behind it.
///
/// # Errors
///
/// [`Problem::Unusable`] for a name that stands twice in one object or is `__proto__`, for numbers beyond [`NUMBER_MAX`],
/// negative zero and those that would become zero, and for more than [`DEPTH_MAX`] levels.
pub fn read(text: &str) -> Result<Value, Problem> {
    let mut reader = Deserializer::from_str(text);
    let value = Level(0).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let value = value.map_err(|error| match error.classify() {
        Category::Data => Problem::Unusable(error.to_string()),
        Category::Syntax | Category::Eof | Category::Io => Problem::Malformed(error.to_string()),
    })?;
    match vanishing(text) {
        Some(number) => Err(Problem::Unusable(format!("the number {number} is too close to zero"))),
        None => Ok(value),
    }
}

/// A number of a well-formed text that would be read as zero and is none; at most 32 bytes of it.
fn vanishing(text: &str) -> Option<&str> {
    const QUOTED_MAX: usize = 32;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        rest = &rest[at..];
        if rest.starts_with('"') {
            rest = &rest[string_length(rest)..];
            continue;
        }
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let (number, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        let mut digits = number.split(['e', 'E']).next().unwrap_or_default().bytes();
        let is_zero = number.parse().is_ok_and(|number: f64| number == 0.0);
        if is_zero && digits.any(|digit| matches!(digit, b'1'..=b'9')) {
            return Some(&number[..number.len().min(QUOTED_MAX)]);
        }
        rest = after;
    }
    None
}

/// Bytes of the string that a well-formed text begins with.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// A value below so many others.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.0 < DEPTH_MAX {
            Ok(Self(self.0 + 1))
        } else {
            Err(E::custom(format_args!("there are more than {DEPTH_MAX} levels")))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        if number > NUMBER_MAX { Err(too_great(number)) } else { Ok(Value::from(number)) }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        if number.unsigned_abs() > NUMBER_MAX { Err(too_great(number)) } else { Ok(Value::from(number)) }
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        if number == 0.0 && number.is_sign_negative() {
            return Err(E::custom("negative zero is not taken"));
        }
        match Number::from_f64(number) {
            Some(exact) if number.abs() <= NUMBER_MAX as f64 => Ok(Value::Number(exact)),
            // With an exponent: in digits it would be what was sent, at length.
            _ => Err(too_great(format_args!("{number:e}"))),
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        const QUOTED_MAX: usize = 64;
        let below = self.below()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let quoted = &name[..name.floor_char_boundary(QUOTED_MAX)];
            if name == "__proto__" {
                return Err(A::Error::custom("an object has the name \"__proto__\""));
            }
            if map.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the name {quoted:?} stands twice in one object")));
            }
            let value = members.next_value_seed(below)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

fn too_great<E: serde::de::Error>(number: impl fmt::Display) -> E {
    E::custom(format_args!("the number {number} is beyond {NUMBER_MAX}, up to which all readers agree"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_malformed(text: &str) -> bool {
        matches!(read(text), Err(Problem::Malformed(_)))
    }

    fn unusable(text: &str) -> String {
        match read(text) {
            Err(Problem::Unusable(problem)) => problem,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_everybody_reads_alike_is_read() {
        for text in [
            "null",
            "0",
            "-1",
            "0.5",
            "-0.5",
            "1e3",
            "0e5",
            "0.0",
            "9007199254740991",
            "-9007199254740991",
            r#"{"a":[1,{"b":"-0 1e-400 \" 1e-400"}],"":{}}"#,
            "  [true, false]\n",
        ] {
            assert_eq!(read(text).ok(), serde_json::from_str(text).ok(), "{text}");
        }
    }

    /// H064: numbers that are none, or that another reader would read as others, are refused.
    #[test]
    fn numbers_that_are_none_or_not_exact_are_refused() {
        for text in ["1e400", "0x10", "٣", "1_000", "NaN", "Infinity", "01", "+1", ".5", "1.", "-"] {
            assert!(is_malformed(text), "{text}");
        }
        assert!(is_malformed(&"9".repeat(10_000)));
        for text in ["-0", "-0.0", "1e-400", "[0, 0.0001e-400]", "9007199254740993", "-9007199254740993", "1e16"] {
            unusable(text);
        }
        unusable(&"9".repeat(300));
    }

    /// H066: whatever is around one JSON value is refused.
    #[test]
    fn garbage_around_a_value_is_refused() {
        for text in
            ["", " ", "{} x", "{}{}", "1 2", "{/* c */}", "// c\n{}", "[1,]", r#"{"a":1,}"#, "{'a':1}", "\u{feff}{}"]
        {
            assert!(is_malformed(text), "{text}");
        }
    }

    /// H072: a hundred thousand names whose hashes collide elsewhere, or that differ in their last byte only, are kept by
    /// comparing them: a map that hashed them would have them in another order than their own.
    #[test]
    fn names_are_compared_and_never_hashed() {
        const NAMES: usize = 100_000;
        // `Aa` and `BB` have one hash wherever a hash is a polynomial of 31, and so has every row of as many of them.
        let colliding = |at: usize| (0..17).map(|bit| if at >> bit & 1 == 0 { "Aa" } else { "BB" }).collect::<String>();
        let alike = |at: usize| format!("{}{at:06}", "x".repeat(40));
        let backwards = |at: usize| format!("{:06}", NAMES - at);
        let makes: [&dyn Fn(usize) -> String; 3] = [&colliding, &alike, &backwards];
        for make in makes {
            let mut names: Vec<String> = (0..NAMES).map(make).collect();
            // Neither in their order nor against it: where a map keeps what was put last, this shows.
            names.rotate_left(NAMES / 3);
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
            let read = read(&format!("{{{}}}", members.join(","))).unwrap();
            let kept: Vec<&String> = read.as_object().unwrap().keys().collect();
            assert_eq!(kept.len(), NAMES);
            assert!(kept.is_sorted());
            // The last of them again, after all the others.
            let again = format!("{{{},\"{}\":1}}", members.join(","), names[NAMES - 1]);
            assert!(unusable(&again).contains("stands twice"));
        }
    }

    /// H062 and H074: a name stands once in an object, and is never `__proto__`.
    #[test]
    fn names_that_readers_take_differently_are_refused() {
        assert_eq!(
            unusable(r#"{"a":1,"b":{"c":1,"c":1}}"#).split(" at ").next(),
            Some("the name \"c\" stands twice in one object")
        );
        assert!(unusable(r#"{"a":[{"__proto__":{}}]}"#).contains("__proto__"));
        assert!(unusable(r#"{"\u005f_proto__":{}}"#).contains("__proto__"));
        let many = format!("{{{}}}", vec![r#""a":1"#; 10_000].join(","));
        assert!(unusable(&many).contains("twice"));
        let long = "é".repeat(5_000);
        assert!(unusable(&format!(r#"{{"{long}":1,"{long}":1}}"#)).len() < 200);
    }

    #[test]
    fn levels_are_counted() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert!(unusable(&nested(DEPTH_MAX + 1)).contains("32 levels"));
        unusable(&nested(30_000));
    }
}
