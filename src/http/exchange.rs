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

use serde::{Deserialize, Serialize};

use super::Response;
use crate::clock::{Instant, Millis};
use crate::monitor::Monitor;
use crate::report::facts::Facts;
use crate::telemetry::logs::Record;

/// What the host is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "ask", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Question {
    /// How the databases are. [`Answer::Facts`].
    Facts {
        /// The first one's probe must be younger than this, in milliseconds; without it nobody is probed.
        #[serde(skip_serializing_if = "Option::is_none")]
        probe_age_max_ms: Option<Millis>,
    },
    /// How the databases are, each of them probed. [`Answer::Facts`].
    AllFacts {
        /// Their probes must be younger than this, in milliseconds.
        probe_age_max_ms: Millis,
    },
    /// The text under a key of the strong store. [`Answer::Text`].
    Read {
        /// Which.
        key: String,
    },
    /// Puts a text into the strong store if what is there is what is expected. [`Answer::Swapped`].
    Swap {
        /// Where.
        key: String,
        /// What must be there; nothing if `None`.
        expected: Option<String>,
        /// What is put there; nothing if `None`.
        text: Option<String>,
    },
    /// The keys of the strong store under a prefix, in order. [`Answer::Keys`].
    List {
        /// What they begin with.
        prefix: String,
    },
    /// The text under a key of the read cache, nothing if there is no cache. It may be old. [`Answer::Text`].
    ReadCached {
        /// Which: a key of the strong store.
        key: String,
    },
    /// Puts a text into the read cache, whatever is there. [`Answer::Cached`].
    PutCached {
        /// Where: a key of the strong store.
        key: String,
        /// What is put there.
        text: String,
    },
    /// Sends a request to somebody else. Redirects are not followed. [`Answer::Fetched`].
    Fetch(Outgoing),
    /// The same, with headers that are settings. [`Answer::Fetched`].
    Export(Outgoing<String>),
    /// What was logged since the last time. [`Answer::Logs`].
    Logs,
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

/// What the host found out.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Answer {
    /// How the databases are.
    Facts(Facts),
    /// The text, if there is one.
    Text(Option<String>),
    /// Whether it was put there.
    Swapped(bool),
    /// The keys.
    Keys(Vec<String>),
    /// Whether it was put there; false if there is no cache.
    Cached(bool),
    /// The records, oldest first.
    Logs(Vec<Record>),
    /// Somebody else's answer.
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

impl Next {
    /// Asks, and goes on with `then`.
    pub fn ask(question: Question, then: impl FnOnce(Answer, &mut Cx<'_>) -> Self + 'static) -> Self {
        Self::Ask(question, Box::new(then))
    }
}
