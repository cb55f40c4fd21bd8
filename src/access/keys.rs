//! The public keys of an issuer of assertions, as it publishes them, and when to ask for them again.
//!
//! Cloudflare replaces its keys every six weeks and takes the old ones for seven days more. So a key is known for an hour, an
//! id that nobody knows is asked about once a minute at most, and while the issuer does not answer, what was known holds on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::clock::{Instant, Millis};
use crate::orders::json;

/// Keys are asked for again after this, in milliseconds.
pub const FRESH_MS: Millis = 3_600_000;
/// And no more often than this for an id that is not among them, or while nobody answers.
pub const AGAIN_MS: Millis = 60_000;
/// They are used no longer than this while nobody answers.
pub const STALE_MAX_MS: Millis = 24 * 3_600_000;
/// Most keys of one document.
const KEYS_MAX: usize = 16;
/// Longest id of a key, in bytes.
pub const ID_MAX: usize = 200;
/// Shortest and longest modulus, in bytes: 2048 to 4096 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=512;

/// One key for RS256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    id: String,
    /// In base64url, as the host takes it.
    pub modulus: String,
    /// In base64url, as the host takes it.
    pub exponent: String,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This is it.
    Key(Key),
    /// The issuer is to be asked, and `find` again afterwards.
    Ask,
    /// There is no such key.
    Unknown,
}

/// The keys of one issuer.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
    known_at: Option<Instant>,
    asked_at: Option<Instant>,
}

impl Keys {
    /// Looks for the key of that id. A clock that stepped back makes what is known old.
    #[must_use]
    pub fn find(&self, id: &str, now: Instant) -> Found {
        let within = |at: Option<Instant>, ms: Millis| at.is_some_and(|at| at <= now && now.since(at) < ms);
        let key = self.keys.iter().find(|key| key.id == id);
        let may_ask = !within(self.asked_at, AGAIN_MS);
        match key {
            Some(key) if within(self.known_at, FRESH_MS) => Found::Key(key.clone()),
            _ if may_ask => Found::Ask,
            Some(key) if within(self.known_at, STALE_MAX_MS) => Found::Key(key.clone()),
            _ => Found::Unknown,
        }
    }

    /// Whether nothing is known that could be used.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes in what the issuer published; `None` if it did not answer. What cannot be used changes nothing.
    pub fn learn(&mut self, document: Option<&str>, now: Instant) {
        self.asked_at = Some(now);
        let keys = document.map(read).unwrap_or_default();
        if !keys.is_empty() {
            self.keys = keys;
            self.known_at = Some(now);
        }
    }
}

/// The keys of a document that can be used for RS256.
fn read(document: &str) -> Vec<Key> {
    let value = json::read(document).unwrap_or_default();
    let listed = value.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    listed.iter().take(KEYS_MAX).filter_map(key).collect()
}

fn key(value: &Value) -> Option<Key> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let is_or_absent = |name: &str, wanted: &str| value.get(name).is_none_or(|found| found == wanted);
    let is_fit = text("kty") == Some("RSA") && is_or_absent("alg", "RS256") && is_or_absent("use", "sig");
    let (id, modulus, exponent) = (text("kid")?, text("n")?, text("e")?);
    let length = |text: &str| URL_SAFE_NO_PAD.decode(text).map(|bytes| bytes.len()).unwrap_or_default();
    let is_sound =
        (1..=ID_MAX).contains(&id.len()) && MODULUS.contains(&length(modulus)) && (1..=4).contains(&length(exponent));
    (is_fit && is_sound).then(|| Key { id: id.to_owned(), modulus: modulus.to_owned(), exponent: exponent.to_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Instant = Instant(1_704_067_200_000);

    fn document(ids: &[&str]) -> String {
        let modulus = "A".repeat(342);
        let keys: Vec<Value> = ids
            .iter()
            .map(|id| json!({ "kid": id, "kty": "RSA", "alg": "RS256", "use": "sig", "n": modulus, "e": "AQAB" }))
            .collect();
        json!({ "keys": keys, "public_cert": { "kid": "a", "cert": "-----" } }).to_string()
    }

    fn is_key(found: &Found) -> bool {
        matches!(found, Found::Key(_))
    }

    #[test]
    fn keys_are_asked_for_once_an_hour() {
        let mut keys = Keys::default();
        assert_eq!(keys.find("a", NOW), Found::Ask);
        keys.learn(Some(&document(&["a", "b"])), NOW);
        assert!(is_key(&keys.find("a", NOW)) && is_key(&keys.find("b", NOW.plus(FRESH_MS - 1))));
        assert_eq!(keys.find("a", NOW.plus(FRESH_MS)), Found::Ask);
        assert_eq!(keys.find("a", Instant(NOW.0 - 1)), Found::Ask, "a clock that stepped back");
    }

    #[test]
    fn an_unknown_id_is_asked_about_once_a_minute() {
        let mut keys = Keys::default();
        keys.learn(Some(&document(&["a"])), NOW);
        assert_eq!(keys.find("c", NOW.plus(AGAIN_MS - 1)), Found::Unknown);
        assert_eq!(keys.find("c", NOW.plus(AGAIN_MS)), Found::Ask);
        keys.learn(Some(&document(&["a", "c"])), NOW.plus(AGAIN_MS));
        assert!(is_key(&keys.find("c", NOW.plus(AGAIN_MS))));
    }

    #[test]
    fn what_was_known_holds_on_for_a_day_while_nobody_answers() {
        let mut keys = Keys::default();
        keys.learn(Some(&document(&["a"])), NOW);
        for wrong in
            [None, Some(""), Some("{}"), Some("{\"keys\":[]}"), Some("{\"keys\":[{}],\"keys\":[]}"), Some("<html>")]
        {
            keys.learn(wrong, NOW.plus(FRESH_MS));
            assert!(is_key(&keys.find("a", NOW.plus(FRESH_MS))), "{wrong:?}");
        }
        keys.learn(None, NOW.plus(STALE_MAX_MS));
        assert_eq!(keys.find("a", NOW.plus(STALE_MAX_MS)), Found::Unknown);
    }

    #[test]
    fn keys_of_another_kind_are_none() {
        let with = |name: &str, value: Value| {
            let mut document: Value = serde_json::from_str(&document(&["a"])).unwrap();
            document["keys"][0][name] = value;
            let mut keys = Keys::default();
            keys.learn(Some(&document.to_string()), NOW);
            is_key(&keys.find("a", NOW))
        };
        assert!(with("x5t", json!("more")));
        for (name, value) in [
            ("kty", json!("EC")),
            ("alg", json!("HS256")),
            ("use", json!("enc")),
            ("n", json!("AQAB")),
            ("n", json!("A".repeat(900))),
            ("e", json!("")),
            ("e", json!("AAAAAAAA")),
            ("n", json!(null)),
            ("kid", json!(7)),
        ] {
            assert!(!with(name, value.clone()), "{name} {value}");
        }
        let many: Vec<String> = (0..100).map(|number| format!("k{number}")).collect();
        let mut keys = Keys::default();
        keys.learn(Some(&document(&many.iter().map(String::as_str).collect::<Vec<_>>())), NOW);
        assert_eq!(keys.keys.len(), KEYS_MAX);
    }
}
