//! Workers KV as its documentation describes it: a central store behind one cache per colo, which also remembers that
//! a key is missing; one write a second and key; a write is seen late in other colos.

use std::collections::VecDeque;
use std::rc::Rc;

use seawall::rng::{Rng, SplitMix, mix};

use super::clock::{Ms, between};
use super::faults::{Faults, Trouble};

/// The text of a value.
pub(crate) type Text = Rc<str>;

/// Between two writes of a key, in milliseconds; a sooner one is refused.
const WRITE_INTERVAL_MS: Ms = 1_000;

/// How the store behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct KvPlan {
    /// A colo's copy is this old at most, in milliseconds.
    pub(crate) cache_ttl_ms: Ms,
    /// How probable it is that the writer's own colo sees a write at once, instead of when its copy has expired.
    pub(crate) local: f64,
    /// When other colos see a write: not before, and nearly always before, in milliseconds.
    pub(crate) remote_ms: (Ms, Ms),
    /// The share of writes that other colos see only after up to twice that time.
    pub(crate) late: f64,
}

impl KvPlan {
    pub(crate) const DOCUMENTED: Self =
        Self { cache_ttl_ms: 30_000, local: 0.95, remote_ms: (10_000, 60_000), late: 0.05 };
}

/// What came of a read or a write, and after how long.
pub(crate) struct Reply<T> {
    /// [`Ms::MAX`] is never.
    pub(crate) after_ms: Ms,
    /// `Err` when the store failed or refused.
    pub(crate) result: Result<T, ()>,
}

struct Write {
    at: Ms,
    colo: u16,
    number: u64,
    text: Text,
}

#[derive(Clone, Default)]
struct Copy {
    text: Option<Text>,
    expires_at: Ms,
}

#[derive(Default)]
struct Key {
    writes: VecDeque<Write>,
    accepted_at: Option<Ms>,
    copies: Vec<Copy>,
    asked: VecDeque<Ms>,
}

/// What the store was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KvCounts {
    pub(crate) reads: u64,
    /// Accepted and refused.
    pub(crate) writes: u64,
    /// Refused for coming too soon after another.
    pub(crate) refused: u64,
    /// The most writes of one key within one second, refused ones included.
    pub(crate) writes_per_key_second: u64,
    /// Characters in the longest value.
    pub(crate) longest: usize,
}

/// One namespace.
pub(crate) struct Kv {
    plan: KvPlan,
    keys: Vec<Key>,
    written: u64,
    pub(crate) counts: KvCounts,
}

impl Kv {
    /// A namespace without values, for so many keys and colos.
    pub(crate) fn new(plan: KvPlan, keys: usize, colos: usize) -> Self {
        let key = || Key { copies: vec![Copy::default(); colos], ..Key::default() };
        Self { plan, keys: (0..keys).map(|_| key()).collect(), written: 0, counts: KvCounts::default() }
    }

    /// Reads a key from a colo.
    pub(crate) fn get(
        &mut self,
        key: usize,
        colo: u16,
        at: Ms,
        faults: &Faults,
        rng: &mut SplitMix,
    ) -> Reply<Option<Text>> {
        self.counts.reads += 1;
        let mut corrupt = 0.0;
        let mut is_empty = false;
        for trouble in faults.at(at, colo) {
            match trouble {
                Trouble::KvDown => return Reply { after_ms: between(20, 100, rng), result: Err(()) },
                Trouble::KvSilent => return Reply { after_ms: Ms::MAX, result: Err(()) },
                Trouble::KvCorrupts { share } => corrupt = share,
                Trouble::KvEmpty => is_empty = true,
                _ => {}
            }
        }
        let plan = self.plan;
        let Some(entry) = self.keys.get_mut(key) else { return Reply { after_ms: 1, result: Err(()) } };
        let is_cached = at < entry.copies[usize::from(colo)].expires_at;
        if !is_cached {
            let text = entry.writes.iter().rev().find(|write| plan.sees(write, colo, at)).map(|it| it.text.clone());
            entry.copies[usize::from(colo)] = Copy { text, expires_at: at + plan.cache_ttl_ms };
        }
        let after_ms = if is_cached { between(5, 50, rng) } else { between(50, 150, rng) };
        let text = entry.copies[usize::from(colo)].text.clone().filter(|_| !is_empty);
        let text = text.map(|text| if rng.unit() < corrupt { damaged(&text, rng) } else { text });
        Reply { after_ms, result: Ok(text) }
    }

    /// Writes a key from a colo.
    pub(crate) fn put(
        &mut self,
        key: usize,
        colo: u16,
        text: &Text,
        at: Ms,
        faults: &Faults,
        rng: &mut SplitMix,
    ) -> Reply<()> {
        let after_ms = between(100, 300, rng);
        let plan = self.plan;
        let Some(entry) = self.keys.get_mut(key) else { return Reply { after_ms: 1, result: Err(()) } };
        self.counts.writes += 1;
        self.counts.longest = self.counts.longest.max(text.len());
        entry.asked.push_back(at);
        while entry.asked.front().is_some_and(|&first| first + WRITE_INTERVAL_MS <= at) {
            entry.asked.pop_front();
        }
        self.counts.writes_per_key_second = self.counts.writes_per_key_second.max(entry.asked.len() as u64);
        for trouble in faults.at(at, colo) {
            match trouble {
                Trouble::KvDown => return Reply { after_ms, result: Err(()) },
                Trouble::KvSilent => return Reply { after_ms: Ms::MAX, result: Err(()) },
                Trouble::KvLoses { share } if rng.unit() < share => return Reply { after_ms, result: Ok(()) },
                _ => {}
            }
        }
        if entry.accepted_at.is_some_and(|accepted_at| at < accepted_at + WRITE_INTERVAL_MS) {
            self.counts.refused += 1;
            return Reply { after_ms, result: Err(()) };
        }
        entry.accepted_at = Some(at);
        self.written += 1;
        entry.writes.push_back(Write { at, colo, number: self.written, text: text.clone() });
        let own = &mut entry.copies[usize::from(colo)];
        if rng.unit() < plan.local {
            own.expires_at = at;
        }
        // Whatever everybody has seen a successor of can be forgotten.
        let all_see = |write: &Write| at >= write.at + 2 * plan.remote_ms.1;
        while entry.writes.len() > 1 && entry.writes.get(1).is_some_and(all_see) {
            entry.writes.pop_front();
        }
        Reply { after_ms, result: Ok(()) }
    }
}

impl KvPlan {
    fn sees(&self, write: &Write, colo: u16, at: Ms) -> bool {
        if colo == write.colo {
            return at >= write.at;
        }
        let mut chance = SplitMix::new(mix(write.number) ^ u64::from(colo));
        let (least, most) = self.remote_ms;
        let is_late = chance.unit() < self.late;
        at >= write.at + between(least, if is_late { 2 * most } else { most }, &mut chance)
    }
}

/// One character is another, or the end is missing.
fn damaged(text: &str, rng: &mut SplitMix) -> Text {
    let at = (rng.unit() * text.len() as f64) as usize;
    if rng.unit() < 0.5 {
        return Text::from(&text[..at]);
    }
    let mut bytes = text.as_bytes().to_vec();
    if let Some(byte) = bytes.get_mut(at) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    String::from_utf8_lossy(&bytes).into()
}
