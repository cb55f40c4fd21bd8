//! A host with a strong store for tests, which can be made to misbehave.

use std::collections::BTreeMap;

use crate::clock::Instant;
use crate::http::Response;
use crate::http::exchange::{Answer, Change, Cx, Next, Question};
use crate::monitor::Monitor;

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
    pub(crate) monitor: Monitor,
    pub(crate) now: u64,
    pub(crate) random: u64,
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
            monitor,
            now: 1_704_067_200_000,
            random: 1,
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
            Question::ReadAll { keys } => Answer::Texts(keys.iter().map(|key| self.strong.get(key).cloned()).collect()),
            Question::List { prefix } => {
                Answer::Keys(self.strong.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
            }
            Question::Swap { .. } if self.loses_swaps => Answer::Failed("The answer got lost.".to_owned()),
            Question::Swap { changes } => Answer::Swapped(self.swap(changes)),
            Question::ReadCached { .. } => Answer::Text(None),
            Question::PutCached { .. } => Answer::Cached(false),
            Question::Chance => Answer::Chance(format!("{:016x}", self.random).repeat(4)),
            other => Answer::Failed(format!("There is no answer to {other:?}.")),
        }
    }

    fn swap(&mut self, changes: Vec<Change>) -> bool {
        (self.before_swap)(self.swaps, &mut self.strong);
        self.swaps += 1;
        let holds = changes.iter().all(|Change { key, expected, .. }| self.strong.get(key) == expected.as_ref());
        for Change { key, text, .. } in changes.into_iter().filter(|_| holds) {
            match text {
                Some(text) => _ = self.strong.insert(key, text),
                None => _ = self.strong.remove(&key),
            }
        }
        holds
    }
}
