//! One exchange: a request comes in, the host is asked what only it can find out, and a response goes out.
//!
//! ```text
//! let mut next = routes::begin(&request, &mut cx);
//! loop {
//!     next = match next {
//!         Next::Respond(response) => break response,
//!         Next::Ask(question, then) => then(host.answer(question).await, &mut cx),
//!     };
//! }
//! ```
//!
//! Work without a request, such as a delivery that is due, is an exchange as well; it ends with [`Next::Done`]. A host that
//! loses its request drops what is next: an exchange holds nothing but values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Response;
use crate::clock::{Instant, Millis};
use crate::monitor::Monitor;
use crate::orders::follow::Command;
use crate::report::facts::Facts;
use crate::telemetry::logs::Record;

/// Most keys that are read at a time.
pub const KEYS_MAX: usize = 128;
/// Most changes in one swap.
pub const CHANGES_MAX: usize = 32;

/// What the host is asked. What a strong store is asked can be read back, because that may be elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Question {
    /// How the databases are. [`Answer::Facts`].
    #[serde(skip_deserializing)]
    Facts {
        /// The first one's probe must be younger than this, in milliseconds; without it nobody is probed.
        #[serde(skip_serializing_if = "Option::is_none")]
        probe_age_max_ms: Option<Millis>,
    },
    /// How the databases are, each of them probed. [`Answer::Facts`].
    #[serde(skip_deserializing)]
    AllFacts {
        /// Their probes must be younger than this, in milliseconds.
        probe_age_max_ms: Millis,
    },
    /// The text under a key of the strong store. [`Answer::Text`].
    Read {
        /// Which.
        key: String,
    },
    /// The texts under keys of the strong store, as they were at about one time. [`Answer::Texts`].
    ReadAll {
        /// Which: 1 to [`KEYS_MAX`].
        keys: Vec<String>,
    },
    /// Changes texts in the strong store if all that is there is what is expected: all of them, or none.
    /// [`Answer::Swapped`].
    Swap {
        /// 1 to [`CHANGES_MAX`], no two of one key.
        changes: Vec<Change>,
    },
    /// The keys of the strong store under a prefix, in order. [`Answer::Keys`].
    List {
        /// What they begin with.
        prefix: String,
    },
    /// The text under a key of the read cache, nothing if there is no cache. It may be old. [`Answer::Text`].
    #[serde(skip_deserializing)]
    ReadCached {
        /// Which: a key of the strong store.
        key: String,
    },
    /// Puts a text into the read cache, whatever is there. [`Answer::Cached`].
    #[serde(skip_deserializing)]
    PutCached {
        /// Where: a key of the strong store.
        key: String,
        /// What is put there.
        text: String,
    },
    /// Sends a request to somebody else. Redirects are not followed. [`Answer::Fetched`].
    #[serde(skip_deserializing)]
    Fetch(Outgoing),
    /// The same, with headers that are settings. [`Answer::Fetched`].
    #[serde(skip_deserializing)]
    Export(Outgoing<String>),
    /// The text at an address, up to [`BODY_MAX`](super::BODY_MAX) bytes, with the status 200; redirects are not followed.
    /// [`Answer::Text`].
    #[serde(skip_deserializing)]
    Keys {
        /// Which: a setting, never what somebody sent.
        url: String,
        /// It is given up after so many milliseconds.
        timeout_ms: Millis,
    },
    /// Whether a signature is right: RSASSA-PKCS1-v1_5 with SHA-256 (RS256). [`Answer::Verified`].
    #[serde(skip_deserializing)]
    Verify {
        /// The key's modulus, in base64url.
        modulus: String,
        /// Its exponent, in base64url.
        exponent: String,
        /// What is signed: ASCII.
        signed: String,
        /// The signature, in base64url.
        signature: String,
    },
    /// Chance that is fit for secrets: `crypto.getRandomValues` of both hosts. [`Answer::Chance`].
    #[serde(skip_deserializing)]
    Chance,
    /// What was logged since the last time. [`Answer::Logs`].
    #[serde(skip_deserializing)]
    Logs,
    /// Does what operators ordered. [`Answer::Obeyed`].
    #[serde(skip_deserializing)]
    Obey {
        /// What, in this order.
        commands: Vec<Command>,
    },
}

/// What a swap does to one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub key: String,
    /// What must be there; nothing if `None`.
    pub expected: Option<String>,
    /// What is there afterwards; nothing if `None`.
    pub text: Option<String>,
}

impl Change {
    /// Whether `found` is what is expected.
    #[must_use]
    pub fn holds(&self, found: Option<&str>) -> bool {
        self.expected.as_deref() == found
    }
}

/// What a swap does where the strong store is a map: what all of them are measured by.
pub fn swap(texts: &mut BTreeMap<String, String>, changes: Vec<Change>) -> bool {
    let is_swapped = changes.iter().all(|change| change.holds(texts.get(&change.key).map(String::as_str)));
    for Change { key, text, .. } in changes.into_iter().filter(|_| is_swapped) {
        match text {
            Some(text) => _ = texts.insert(key, text),
            None => _ = texts.remove(&key),
        }
    }
    is_swapped
}

/// A request to somebody else. `Name` is what names of headers are: of ours, or text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outgoing<Name = &'static str> {
    /// Where to.
    pub url: String,
    /// The method, in capitals.
    pub method: &'static str,
    /// The headers, with names in small letters.
    pub headers: Vec<(Name, String)>,
    /// The body.
    pub body: String,
    /// It is given up after so many milliseconds.
    pub timeout_ms: Millis,
}

/// What the host found out. What a strong store answers can be written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Answer {
    /// How the databases are.
    #[serde(skip_serializing)]
    Facts(Facts),
    /// The text, if there is one.
    Text(Option<String>),
    /// The texts in the order of their keys, each if there is one.
    Texts(Vec<Option<String>>),
    /// Whether it was done: all of it, or nothing.
    Swapped(bool),
    /// It was done, or there is nothing here that it is about.
    #[serde(skip_serializing)]
    Obeyed,
    /// The keys.
    Keys(Vec<String>),
    /// Whether it was put there; false if there is no cache.
    #[serde(skip_serializing)]
    Cached(bool),
    /// Whether it is right.
    #[serde(skip_serializing)]
    Verified(bool),
    /// 32 bytes of it, as 64 hexadecimal digits in small letters.
    #[serde(skip_serializing)]
    Chance(String),
    /// The records, oldest first.
    #[serde(skip_serializing)]
    Logs(Vec<Record>),
    /// Somebody else's answer.
    #[serde(skip_serializing)]
    Fetched {
        /// Its status.
        status: u16,
        /// `retry-after`, as it was sent.
        retry_after: Option<String>,
    },
    /// There is no strong store to ask, and what to do about that. Nothing was done.
    NoStore(String),
    /// It could not be found out. After a swap or a fetch nobody knows whether it was done.
    Failed(String),
}

impl Answer {
    /// Why it is of no use, in the host's words: what is said of every answer that is not the one that was wanted.
    #[must_use]
    pub fn problem(self) -> String {
        match self {
            Self::Failed(problem) | Self::NoStore(problem) => problem,
            _ => "The host answered another question.".to_owned(),
        }
    }
}

/// What the host does next.
pub enum Next {
    /// Send this.
    Respond(Response),
    /// Answer this, then go on with what follows.
    Ask(Question, Then),
    /// Nothing more. Only work without a request ends so.
    Done,
}

/// What follows an answer.
pub type Then = Box<dyn FnOnce(Answer, &mut Cx<'_>) -> Next>;

/// What an exchange may look at, and change, each time that it goes on.
pub struct Cx<'a> {
    /// What the isolate keeps between exchanges.
    pub monitor: &'a mut Monitor,
    /// The host's clock, read just before.
    pub now: Instant,
    /// 64 bits of chance from a generator that is fit for secrets.
    pub random: u64,
}

impl Question {
    /// A swap of one key.
    #[must_use]
    pub fn swap(key: impl Into<String>, expected: Option<String>, text: Option<String>) -> Self {
        Self::Swap { changes: vec![Change { key: key.into(), expected, text }] }
    }
}

impl Next {
    /// Asks, and goes on with `then`.
    pub fn ask(question: Question, then: impl FnOnce(Answer, &mut Cx<'_>) -> Self + 'static) -> Self {
        Self::Ask(question, Box::new(then))
    }
}
