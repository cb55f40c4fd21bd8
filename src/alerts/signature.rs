//! Standard Webhooks: who receives a message can tell who sent it, and that it is neither changed nor old.
//!
//! `webhook-signature` is a list, parted by blanks, of `v1,` and the Base64 of HMAC-SHA256 over `id.timestamp.body`: one
//! for each secret, so that a secret can be replaced without a gap. <https://www.standardwebhooks.com>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::clock::Instant;

/// How far the clocks of sender and receiver may be apart, in seconds.
pub const TOLERANCE_S: u64 = 300;
/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Longest and shortest secret, in bytes.
const SECRET_MIN: usize = 24;
const SECRET_MAX: usize = 64;
/// Signatures in one header that are looked at.
const SIGNATURES_MAX: usize = 16;
/// Longest id of a message, in bytes.
const ID_MAX: usize = 256;
/// Ids that are remembered, so that no message is taken twice. More than so many in ten minutes are refused.
const SEEN_MAX: usize = 10_000;

/// What messages are signed with. It never shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Reads `whsec_` and the Base64 of 24 to 64 bytes; the prefix may be missing.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without its text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let bytes =
            STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| "is not whsec_ and Base64")?;
        if (SECRET_MIN..=SECRET_MAX).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err("does not hold 24 to 64 bytes")
        }
    }

    fn mac(&self, id: &str, timestamp: u64, body: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        Some(mac)
    }
}

/// The three headers of a message that is sent at `now`.
#[must_use]
pub fn headers(secrets: &[Secret], id: &str, body: &str, now: Instant) -> Vec<(&'static str, String)> {
    let timestamp = now.0 / 1_000;
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp.to_string())];
    let signed: Vec<String> = secrets
        .iter()
        .filter_map(|secret| secret.mac(id, timestamp, body.as_bytes()))
        .map(|mac| format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        .collect();
    if !signed.is_empty() {
        headers.push(("webhook-signature", signed.join(" ")));
    }
    headers
}

/// What a message is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is what its sender sent, and it is new.
    Genuine,
    /// Answer 401: nobody who knows a secret signed it as it is, or it is too old, or from the future.
    Forged,
    /// Answer 409: it came before.
    Replayed,
    /// Answer 503: so many came that no more can be told apart from repeated ones.
    Flooded,
}

impl Verdict {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Genuine => 200,
            Self::Forged => 401,
            Self::Replayed => 409,
            Self::Flooded => 503,
        }
    }
}

/// A message as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
    /// The body, byte for byte as it came: what was parsed and written again is another one.
    pub body: &'a [u8],
}

/// Judges messages, and remembers those that it took.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    secrets: Vec<Secret>,
    /// Ids and the second from which each is too old anyway, in no order.
    seen: Vec<(String, u64)>,
}

impl Verifier {
    /// Takes what is signed with any of `secrets`; nothing if there are none.
    #[must_use]
    pub const fn new(secrets: Vec<Secret>) -> Self {
        Self { secrets, seen: Vec::new() }
    }

    /// Judges `message` at `now`.
    ///
    /// An id with a dot is refused: `a.1` at `2` and `a` at `1.2` would be signed alike. A message that is refused is not
    /// remembered, so that nobody can use up the id of another one.
    pub fn verify(&mut self, message: &Incoming<'_>, now: Instant) -> Verdict {
        let now_s = now.0 / 1_000;
        let is_digits = !message.timestamp.is_empty() && message.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let Some(sent_s) = is_digits.then(|| message.timestamp.parse::<u64>().ok()).flatten() else {
            return Verdict::Forged;
        };
        // As it is written again below: `007` is another text than `7`.
        let is_plain = sent_s.to_string() == message.timestamp;
        let is_id = (1..=ID_MAX).contains(&message.id.len())
            && message.id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.');
        if !is_id || !is_plain || sent_s.abs_diff(now_s) > TOLERANCE_S || !self.is_signed(message, sent_s) {
            return Verdict::Forged;
        }
        self.seen.retain(|(_, until)| *until >= now_s);
        if self.seen.iter().any(|(seen, _)| seen == message.id) {
            return Verdict::Replayed;
        }
        if self.seen.len() >= SEEN_MAX {
            return Verdict::Flooded;
        }
        self.seen.push((message.id.to_owned(), sent_s + TOLERANCE_S));
        Verdict::Genuine
    }

    fn is_signed(&self, message: &Incoming<'_>, sent_s: u64) -> bool {
        let signatures = message.signature.split(' ').take(SIGNATURES_MAX);
        let decoded: Vec<Vec<u8>> = signatures
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .filter(|bytes| !bytes.is_empty())
            .collect();
        self.secrets.iter().any(|secret| {
            let mac = secret.mac(message.id, sent_s, message.body);
            mac.is_some_and(|mac| decoded.iter().any(|bytes| mac.clone().verify_slice(bytes).is_ok()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &str = r#"{"test": 2432232314}"#;
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT_S: u64 = 1_614_265_330;
    /// From the specification's own example.
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> Secret {
        Secret::parse(TEXT).unwrap()
    }

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000)
    }

    #[test]
    fn it_signs_as_the_specification_does() {
        let found = headers(&[secret()], ID, BODY, at(SENT_S));
        let expected = [("webhook-id", ID), ("webhook-timestamp", "1614265330"), ("webhook-signature", SIGNATURE)];
        assert_eq!(found, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn each_secret_signs_while_one_replaces_the_other() {
        let other = Secret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let found = headers(&[other.clone(), secret()], ID, BODY, at(SENT_S));
        let list = found.iter().find(|(name, _)| *name == "webhook-signature").map(|(_, value)| value.clone()).unwrap();
        assert_eq!(list.split(' ').count(), 2);
        for secret in [other, secret()] {
            let message = Incoming { id: ID, timestamp: "1614265330", signature: &list, body: BODY.as_bytes() };
            assert_eq!(Verifier::new(vec![secret]).verify(&message, at(SENT_S)), Verdict::Genuine);
        }
        assert_eq!(headers(&[], ID, BODY, at(SENT_S)).len(), 2, "without a secret nothing is signed");
    }

    /// H130: of all that can be wrong with a message nothing passes, and what is right passes once.
    #[test]
    fn only_what_is_right_passes() {
        let good = Incoming { id: ID, timestamp: "1614265330", signature: SIGNATURE, body: BODY.as_bytes() };
        let two = format!("v1,AAAA {SIGNATURE}");
        let spaced = SIGNATURE.replace('+', " ");
        let v2 = SIGNATURE.replace("v1,", "v2,");
        let bare = SIGNATURE.replace("v1,", "");
        let cut = &SIGNATURE[..SIGNATURE.len() - 8];
        let dotted = headers(&[secret()], "a.b", BODY, at(SENT_S)).pop().unwrap().1;
        let table: [(&str, Incoming<'_>, u64, Verdict); 20] = [
            ("genuine", good, SENT_S, Verdict::Genuine),
            ("two signatures, one valid", Incoming { signature: &two, ..good }, SENT_S, Verdict::Genuine),
            ("six minutes old", good, SENT_S + 360, Verdict::Forged),
            ("six minutes early", good, SENT_S - 360, Verdict::Forged),
            ("five minutes old", good, SENT_S + 300, Verdict::Genuine),
            ("five minutes early", good, SENT_S - 300, Verdict::Genuine),
            ("id with a dot", Incoming { id: "a.b", signature: &dotted, ..good }, SENT_S, Verdict::Forged),
            ("no id", Incoming { id: "", ..good }, SENT_S, Verdict::Forged),
            ("other id", Incoming { id: "msg_other", ..good }, SENT_S, Verdict::Forged),
            ("other body", Incoming { body: br#"{"test": 2432232315}"#, ..good }, SENT_S, Verdict::Forged),
            ("written again", Incoming { body: br#"{"test":2432232314}"#, ..good }, SENT_S, Verdict::Forged),
            ("empty signature", Incoming { signature: "v1,", ..good }, SENT_S, Verdict::Forged),
            ("no signature", Incoming { signature: "", ..good }, SENT_S, Verdict::Forged),
            ("another version", Incoming { signature: &v2, ..good }, SENT_S, Verdict::Forged),
            ("no version", Incoming { signature: &bare, ..good }, SENT_S, Verdict::Forged),
            ("Base64 with blanks", Incoming { signature: &spaced, ..good }, SENT_S, Verdict::Forged),
            ("cut", Incoming { signature: cut, ..good }, SENT_S, Verdict::Forged),
            ("other time", Incoming { timestamp: "1614265331", ..good }, SENT_S, Verdict::Forged),
            ("time with a sign", Incoming { timestamp: "+1614265330", ..good }, SENT_S, Verdict::Forged),
            ("time with a zero", Incoming { timestamp: "01614265330", ..good }, SENT_S, Verdict::Forged),
        ];
        for (what, message, now, expected) in table {
            let mut verifier = Verifier::new(vec![secret()]);
            assert_eq!(verifier.verify(&message, at(now)), expected, "{what}");
            let again = if expected == Verdict::Genuine { Verdict::Replayed } else { expected };
            assert_eq!(verifier.verify(&message, at(now)), again, "{what}, again");
            assert_eq!(Verifier::new(Vec::new()).verify(&message, at(now)), Verdict::Forged, "{what}, no secret");
        }
        assert_eq!([Verdict::Forged.status(), Verdict::Replayed.status()], [401, 409]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten_when_it_is_too_old_anyway() {
        let mut verifier = Verifier::new(vec![secret()]);
        let mut send = |id: &str, sent: u64, now: u64| {
            let signed = headers(&[secret()], id, BODY, at(sent));
            let message = Incoming { id, timestamp: &signed[1].1, signature: &signed[2].1, body: BODY.as_bytes() };
            verifier.verify(&message, at(now))
        };
        for number in 0..SEEN_MAX {
            assert_eq!(send(&number.to_string(), 1_000, 1_000), Verdict::Genuine);
        }
        assert_eq!(send("more", 1_000, 1_000), Verdict::Flooded);
        assert_eq!(send("0", 1_000, 1_300), Verdict::Replayed);
        assert_eq!(send("more", 1_301, 1_301), Verdict::Genuine);
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_refused_without_its_text() {
        for text in ["whsec_", "whsec_short", "whsec_AAAA", "whsec_!!!!", &format!("whsec_{}", "A".repeat(88))] {
            assert!(Secret::parse(text).is_err(), "{text}");
        }
        assert_eq!(format!("{:?}", secret()), "Secret(…)");
    }
}
