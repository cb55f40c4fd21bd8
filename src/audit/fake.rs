//! A host with a strong store for tests, which can be made to misbehave.

use std::collections::BTreeMap;

use crate::access;
use crate::clock::Instant;
use crate::http::auth::Access;
use crate::http::exchange::{self, Answer, Change, Cx, KEYS_MAX, Next, Question};
use crate::http::{Request, Response, routes};
use crate::monitor::{Monitor, Settings};
use crate::orders::follow::Command;
use crate::report::facts::Facts;

/// What happens to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The store does not answer, and does nothing.
    Refused,
    /// It does what it was asked, and the answer gets lost.
    Lost,
    /// The host dies before the question is sent.
    Died,
}

/// See the room's heading.
pub(crate) struct Host {
    pub(crate) strong: BTreeMap<String, String>,
    /// The read cache, if there is one; whether it takes nothing.
    pub(crate) cache: Option<BTreeMap<String, String>>,
    pub(crate) is_cache_full: bool,
    /// What it was told to do, and whether it cannot.
    pub(crate) obeyed: Vec<Command>,
    pub(crate) is_disobedient: bool,
    pub(crate) monitor: Monitor,
    pub(crate) now: u64,
    pub(crate) random: u64,
    /// What it knows of its databases.
    pub(crate) facts: Option<Facts>,
    /// How many questions were asked.
    pub(crate) asked: usize,
    /// What happens to the question of this number, from 0.
    pub(crate) fault: Option<(usize, Fault)>,
    /// Whether each write is refused, and nobody is told.
    pub(crate) loses_swaps: bool,
    /// Done right before each write; the first argument is the number of the write, from 0.
    pub(crate) before_swap: fn(usize, &mut BTreeMap<String, String>),
    swaps: usize,
}

impl Default for Host {
    fn default() -> Self {
        Self::with(Monitor::default())
    }
}

impl Host {
    pub(crate) fn with(monitor: Monitor) -> Self {
        Self {
            strong: BTreeMap::new(),
            cache: None,
            is_cache_full: false,
            obeyed: Vec::new(),
            is_disobedient: false,
            monitor,
            now: 1_704_067_200_000,
            random: 1,
            facts: None,
            asked: 0,
            fault: None,
            loses_swaps: false,
            before_swap: |_, _| {},
            swaps: 0,
        }
    }

    /// Carries an exchange out: its response, if it has one and the host does not die.
    pub(crate) fn carry_out(&mut self, begin: impl FnOnce(&mut Cx<'_>) -> Next) -> Option<Response> {
        self.asked = 0;
        let mut next = begin(&mut self.cx());
        loop {
            next = match next {
                Next::Respond(response) => return Some(response),
                Next::Done => return None,
                Next::Ask(question, then) => {
                    let fault = self.fault.filter(|(at, _)| *at == self.asked).map(|(_, fault)| fault);
                    self.asked += 1;
                    let answer = match fault {
                        None => self.answer(question),
                        Some(Fault::Died) => return None,
                        Some(Fault::Refused) => Answer::Failed("The store is gone.".to_owned()),
                        Some(Fault::Lost) => {
                            self.answer(question);
                            Answer::Failed("The answer got lost.".to_owned())
                        }
                    };
                    then(answer, &mut self.cx())
                }
            };
        }
    }

    fn cx(&mut self) -> Cx<'_> {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Cx { monitor: &mut self.monitor, now: Instant(self.now), random: self.random }
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Read { key } => Answer::Text(self.strong.get(&key).cloned()),
            // As stores that live elsewhere have it.
            Question::ReadAll { keys } if keys.is_empty() || keys.len() > KEYS_MAX => {
                Answer::Failed("1 to 128 keys are read at a time".to_owned())
            }
            Question::ReadAll { keys } => Answer::Texts(keys.iter().map(|key| self.strong.get(key).cloned()).collect()),
            Question::List { prefix } => {
                Answer::Keys(self.strong.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
            }
            Question::Swap { .. } if self.loses_swaps => Answer::Failed("The answer got lost.".to_owned()),
            Question::Swap { changes } => Answer::Swapped(self.swap(changes)),
            Question::Facts { .. } if self.facts.is_some() => Answer::Facts(self.facts.clone().unwrap_or_default()),
            Question::Chance => Answer::Chance(format!("{:016x}", self.random).repeat(4)),
            Question::ReadCached { key } => {
                Answer::Text(self.cache.as_ref().and_then(|cache| cache.get(&key).cloned()))
            }
            Question::PutCached { .. } if self.is_cache_full => Answer::Failed("Too many writes.".to_owned()),
            Question::PutCached { key, text } => {
                Answer::Cached(self.cache.as_mut().map(|cache| cache.insert(key, text)).is_some())
            }
            Question::Obey { .. } if self.is_disobedient => Answer::Failed("It cannot be done.".to_owned()),
            Question::Obey { commands } => {
                self.obeyed.extend(commands);
                Answer::Obeyed
            }
            other => Answer::Failed(format!("There is no answer to {other:?}.")),
        }
    }

    fn swap(&mut self, changes: Vec<Change>) -> bool {
        (self.before_swap)(self.swaps, &mut self.strong);
        self.swaps += 1;
        exchange::swap(&mut self.strong, changes)
    }

    /// Answers a request; it must have an answer.
    pub(crate) fn ask(&mut self, request: &Request) -> Response {
        self.carry_out(|cx| routes::begin(request, cx)).unwrap()
    }
}

/// What lets into the admin routes of [`operated`].
pub(crate) const TOKEN: &str = "a-token-of-32-bytes-and-some-more";

/// A host that lets in who has [`TOKEN`].
pub(crate) fn operated(admin: access::Settings) -> Host {
    let settings = Settings { admin_token: Access::by_token(TOKEN), admin, ..Settings::default() };
    Host::with(Monitor::new(settings))
}

/// An operator's request to a path below the admin path.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let bearer = format!("Bearer {TOKEN}");
    let own = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let headers = own.iter().chain(headers).map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Request {
        method: method.to_owned(),
        path: format!("{}{path}", routes::ADMIN_PATH),
        query: query.to_owned(),
        headers: headers.collect(),
        body: body.to_owned(),
        ..Request::default()
    }
}
