//! Tokens: secrets that were given out, each with a role and an end. Only their digests are kept.
//!
//! ```text
//! lrk_3f9a0c4412be_Zm9vYmFy…          id, then 32 bytes of chance in 43 characters of base64url
//! {"tokens":[{"id":"3f9a0c4412be","sha256":"b1…","role":"operator","label":"deploy","createdAtMs":1704067200000}]}
//! ```
//!
//! A secret has 256 bits, so nobody finds it from its digest, and a slow hash would add nothing. An entry that is damaged lets
//! nobody in, and neither does a document that is: there is no reading of it that opens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{Principal, Role};
use crate::clock::{Instant, Millis};
use crate::orders::tenants::{self, ID_MAX};

/// Most tokens, those that have ended included.
pub const TOKENS_MAX: usize = 200;
/// Longest label, in bytes.
pub const LABEL_MAX: usize = 100;
/// The longest time for which a replaced secret still lets in, in milliseconds.
pub const OVERLAP_MAX_MS: Millis = 30 * 86_400_000;
/// Bytes of chance in a secret.
pub const CHANCE_BYTES: usize = 32;

const PREFIX: &str = "lrk_";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 43;

/// A token as somebody sends it, if it has the form of one.
#[derive(Clone)]
pub struct Presented {
    id: String,
    digest: [u8; 32],
}

/// One token, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// 12 hexadecimal digits.
    pub id: String,
    sha256: String,
    /// What it lets do.
    pub role: Role,
    /// What it is for, in words.
    pub label: String,
    /// The one tenant that it is for; all of them without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    created_at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Previous>,
}

/// The secret before the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Previous {
    sha256: String,
    until_ms: u64,
}

/// What somebody wants a new token to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it is for, in words.
    pub label: String,
    /// What it lets do.
    pub role: Role,
    /// The one tenant that it is for.
    pub tenant: Option<String>,
    /// It lets in from then on.
    pub not_before: Option<Instant>,
    /// And no more from then on.
    pub expires_at: Option<Instant>,
}

/// All tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens {
    entries: Vec<Entry>,
    /// What cannot be used. It is kept as it is, for whoever looks into what happened.
    unusable: Vec<Value>,
}

/// Why nothing is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such token.
    Unknown,
    /// It has ended.
    Ended,
    /// There are as many as there may be.
    Full,
    /// It cannot be: which part, and why.
    Unusable(String),
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presented").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Presented {
    /// What was sent, if it has exactly the form of a token.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_token = is_id(id) && secret.len() == SECRET_LENGTH && URL_SAFE_NO_PAD.decode(secret).is_ok();
        is_token.then(|| Self { id: id.to_owned(), digest: digest(text) })
    }

    /// The digest of all of it.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// The text of a token of that id, from 32 bytes of chance. Whoever makes it shows it once and keeps [`Presented::digest`].
#[must_use]
pub fn secret(id: &str, chance: &[u8; CHANCE_BYTES]) -> String {
    [PREFIX, id, "_", &URL_SAFE_NO_PAD.encode(chance)].concat()
}

/// An id from chance.
#[must_use]
pub fn id_of(chance: u64) -> String {
    format!("{:012x}", chance >> 16)
}

impl Tokens {
    /// Reads the value of the order.
    #[must_use]
    pub fn read(value: &Value) -> Self {
        let mut tokens = Self::default();
        let listed = value.get("tokens").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for item in listed {
            match serde_json::from_value::<Entry>(item.clone()) {
                Ok(entry) if entry.is_sound() => tokens.entries.push(entry),
                _ => tokens.unusable.push(item.clone()),
            }
        }
        // Of two with one id nobody knows which was given out.
        let ids: Vec<String> = tokens.entries.iter().map(|entry| entry.id.clone()).collect();
        let is_one = |entry: &Entry| ids.iter().filter(|id| **id == entry.id).count() == 1;
        let (entries, twice): (Vec<_>, Vec<_>) = tokens.entries.into_iter().partition(is_one);
        tokens.unusable.extend(twice.iter().map(|entry| json!(entry)));
        Self { entries, ..tokens }
    }

    /// The value of the order.
    #[must_use]
    pub fn value(&self) -> Value {
        let entries = self.entries.iter().map(|entry| json!(entry));
        json!({ "tokens": entries.chain(self.unusable.iter().cloned()).collect::<Vec<_>>() })
    }

    /// Whom `presented` lets in. It takes as long for an id that is not there as for a secret that is wrong.
    #[must_use]
    pub fn principal(&self, presented: &Presented, now: Instant) -> Option<Principal> {
        let found = self.entries.iter().find(|entry| entry.id == presented.id);
        let matches = |sha256: Option<&str>| -> Choice {
            let known = sha256.and_then(digest_of);
            known.unwrap_or_default().ct_eq(&presented.digest) & Choice::from(u8::from(known.is_some()))
        };
        let current = matches(found.map(|entry| entry.sha256.as_str()));
        let earlier = found.and_then(|entry| entry.previous.as_ref()).filter(|previous| now.0 < previous.until_ms);
        let earlier = matches(earlier.map(|previous| previous.sha256.as_str()));
        let is_right = bool::from(current | earlier);
        found.filter(|entry| is_right && entry.is_in_force(now)).map(|entry| Principal {
            name: entry.target(),
            role: entry.role,
            tenant: entry.tenant.clone(),
        })
    }

    /// Whether any of them lets in.
    #[must_use]
    pub fn has_usable(&self, now: Instant) -> bool {
        self.entries.iter().any(|entry| entry.is_in_force(now))
    }

    /// All of them, as they are shown: nothing of a digest.
    #[must_use]
    pub fn shown(&self, now: Instant) -> Vec<Value> {
        let unusable = self.unusable.iter().map(|_| json!({ "state": "unusable" }));
        self.entries.iter().map(|entry| entry.shown(now)).chain(unusable).collect()
    }

    /// Adds a token whose text is `text`.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing is changed then.
    pub fn add(&mut self, wanted: &Wanted, text: &str, now: Instant) -> Result<&Entry, Refusal> {
        let unusable = |problem: String| Err(Refusal::Unusable(problem));
        let Some(presented) = Presented::read(text) else { return unusable("the secret has another form".to_owned()) };
        let is_plain = |text: &str, max: usize| {
            !text.trim().is_empty() && text.len() <= max && !text.chars().any(char::is_control)
        };
        if !is_plain(&wanted.label, LABEL_MAX) {
            return unusable(format!("label must say what it is for, in at most {LABEL_MAX} bytes"));
        }
        if wanted.tenant.as_deref().is_some_and(|tenant| !tenants::is_id(tenant)) {
            return unusable(format!("tenant must be an id of 1 to {ID_MAX} letters, digits or any of -_. in it"));
        }
        if wanted.expires_at.is_some_and(|at| at <= now || wanted.not_before.is_some_and(|from| at <= from)) {
            return unusable("it would have ended before it begins".to_owned());
        }
        if self.entries.iter().any(|entry| entry.id == presented.id) {
            return unusable("its id is there already".to_owned());
        }
        while self.entries.len() + self.unusable.len() >= TOKENS_MAX {
            let Some(ended) = self.entries.iter().position(|entry| entry.has_ended(now)) else {
                return Err(Refusal::Full);
            };
            self.entries.remove(ended);
        }
        self.entries.push(Entry {
            id: presented.id,
            sha256: hex(&presented.digest),
            role: wanted.role,
            label: wanted.label.clone(),
            tenant: wanted.tenant.clone(),
            created_at_ms: now.0,
            not_before_ms: wanted.not_before.map(|at| at.0),
            expires_at_ms: wanted.expires_at.map(|at| at.0),
            revoked_at_ms: None,
            previous: None,
        });
        self.entries.last().ok_or(Refusal::Full)
    }

    /// The token of that id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Gives a token the secret of `text`; the one before lets in for `overlap_ms` more.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing is changed then.
    pub fn rotate(&mut self, id: &str, text: &str, overlap_ms: Millis, now: Instant) -> Result<&Entry, Refusal> {
        if overlap_ms > OVERLAP_MAX_MS {
            return Err(Refusal::Unusable(format!("overlapMs must be at most {OVERLAP_MAX_MS}")));
        }
        let presented = Presented::read(text).filter(|presented| presented.id == id).ok_or(Refusal::Unknown)?;
        let entry = self.entries.iter_mut().find(|entry| entry.id == id).ok_or(Refusal::Unknown)?;
        if entry.has_ended(now) {
            return Err(Refusal::Ended);
        }
        let until_ms = now.plus(overlap_ms).0;
        let sha256 = std::mem::replace(&mut entry.sha256, hex(&presented.digest));
        entry.previous = (overlap_ms > 0).then_some(Previous { sha256, until_ms });
        Ok(entry)
    }

    /// Ends a token, and says whether it had not ended before.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`].
    pub fn revoke(&mut self, id: &str, now: Instant) -> Result<bool, Refusal> {
        let entry = self.entries.iter_mut().find(|entry| entry.id == id).ok_or(Refusal::Unknown)?;
        let is_new = entry.revoked_at_ms.is_none();
        if is_new {
            entry.revoked_at_ms = Some(now.0);
            entry.previous = None;
        }
        Ok(is_new)
    }
}

impl Entry {
    /// As records name it.
    #[must_use]
    pub fn target(&self) -> String {
        ["tokens/", &self.id].concat()
    }

    /// As it is shown: nothing of a digest.
    #[must_use]
    pub fn shown(&self, now: Instant) -> Value {
        let earlier = self.previous.as_ref().filter(|previous| now.0 < previous.until_ms);
        json!({
            "id": self.id,
            "label": self.label,
            "role": self.role,
            "tenant": self.tenant,
            "state": self.state(now),
            "createdAtMs": self.created_at_ms,
            "notBeforeMs": self.not_before_ms,
            "expiresAtMs": self.expires_at_ms,
            "revokedAtMs": self.revoked_at_ms,
            "previousUntilMs": earlier.map(|previous| previous.until_ms),
        })
    }

    fn state(&self, now: Instant) -> &'static str {
        if self.revoked_at_ms.is_some() {
            "revoked"
        } else if self.has_ended(now) {
            "expired"
        } else if self.is_in_force(now) {
            "active"
        } else {
            "pending"
        }
    }

    fn has_ended(&self, now: Instant) -> bool {
        self.revoked_at_ms.is_some() || self.expires_at_ms.is_some_and(|at| at <= now.0)
    }

    fn is_in_force(&self, now: Instant) -> bool {
        !self.has_ended(now) && self.not_before_ms.is_none_or(|from| from <= now.0)
    }

    /// Whether all of it is as we write it.
    fn is_sound(&self) -> bool {
        let earlier = self.previous.as_ref().map(|previous| previous.sha256.as_str());
        is_id(&self.id) && digest_of(&self.sha256).is_some() && earlier.is_none_or(|text| digest_of(text).is_some())
    }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(is_hex)
}

const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads 64 hexadecimal digits in small letters; `None` for anything else.
#[must_use]
pub fn digest_of(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(is_hex) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
