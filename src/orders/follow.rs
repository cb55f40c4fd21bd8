//! Follows the orders: what an operator said elsewhere holds here soon after.
//!
//! ```text
//! read audit/head        which orders are the newest: one small read for all of them
//! read the newer ones    each must be what the head says that was written
//! obey                   the host is told what to do with its databases
//! ```
//!
//! An isolate asks the strong store about twice a second while it has anything to do; with many isolates it may ask the read
//! cache instead, and learns as late as that does. It asks the strong store then when it begins, and a minute after the last
//! time: a cache may never have been told.
//!
//! A head that is damaged or gone names no orders. Those that are there are then read once a minute, so that an isolate that
//! begins holds what is held.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::Name;
use super::cached_head;
use super::control::{Control, Hold};
use super::named::{NotTaken, UNNAMED, named};
use super::order::Order;
use super::seen::{Seen, VERIFY_AFTER_MS};
use super::tenants::Tenants;
use crate::audit::HEAD_KEY;
use crate::audit::head::{Head, Mark};
use crate::clock::{Instant, Millis};
use crate::http::exchange::{Answer, Cx, Next, Question};

/// Least time between two looks, in milliseconds.
pub const INTERVAL_MIN_MS: Millis = 100;

/// What a host is to do with its databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    /// Hold the circuit in a state, or let it go.
    Hold {
        /// Which database; `None` for all of them.
        database: Option<String>,
        /// In which state; `None` lets go.
        state: Option<Hold>,
        /// Who says so.
        by: String,
        /// Why.
        reason: String,
    },
    /// Close the circuit and forget its counts.
    Reset {
        /// Which database; `None` for all of them.
        database: Option<String>,
        /// Who says so.
        by: String,
        /// Why.
        reason: String,
    },
    /// Close idle connections, or all.
    Drain {
        /// Which database; `None` for all of them.
        database: Option<String>,
        /// Those in use as well, once they are given back.
        is_all: bool,
    },
    /// Take these settings, the JSON of an order: what it does not say goes back to what it was when the host began.
    Configure {
        /// The settings.
        settings: String,
    },
    /// Take this for what was said of tenants, and forget what was said before.
    Tenants {
        /// The JSON of what the order has, by id.
        tenants: String,
    },
}

impl Command {
    /// Which database it is about; `None` for all of them.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        match self {
            Self::Hold { database, .. } | Self::Reset { database, .. } | Self::Drain { database, .. } => {
                database.as_deref()
            }
            Self::Configure { .. } | Self::Tenants { .. } => None,
        }
    }
}

/// What is remembered between two looks.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    /// There is no strong store here.
    is_alone: bool,
    looked_at: Option<Instant>,
    /// When the strong store was asked itself.
    asked_at: Option<Instant>,
    /// When the strong store was last asked and what was seen was all that there was.
    confirmed_at: Option<Instant>,
    /// When all orders were read without a head.
    recovered_at: Option<Instant>,
    /// The read cache may not have the head that this isolate has written, and when it was last told.
    is_cache_behind: bool,
    cache_told_at: Option<Instant>,
    obeyed: BTreeMap<&'static str, u64>,
    control: Option<Control>,
    /// What is wrong with the orders that are there; nothing of those is followed.
    problem: Option<&'static str>,
    /// What the host could not do of the orders that hold.
    disobeyed: Option<&'static str>,
}

impl Follow {
    /// What is wrong with the orders that are there, if something is.
    #[must_use]
    pub const fn problem(&self) -> Option<&'static str> {
        self.problem
    }

    /// When the strong store was last asked and what was seen here was the newest of each order; `None` if that never was.
    #[must_use]
    pub const fn confirmed_at(&self) -> Option<Instant> {
        self.confirmed_at
    }

    /// This isolate has written an order: who follows by way of the read cache is to be told.
    pub(crate) const fn wrote(&mut self) {
        self.is_cache_behind = true;
        self.cache_told_at = None;
    }

    fn is_due(&self, now: Instant, interval_ms: Millis) -> bool {
        !self.is_alone && is_past(self.looked_at, now, interval_ms)
    }
}

/// Whether `at` is so long ago. A clock that stepped back says yes.
fn is_past(at: Option<Instant>, now: Instant, ms: Millis) -> bool {
    at.is_none_or(|at| now < at || now.since(at) >= ms)
}

/// Looks, if it is time to.
pub fn begin(cx: &mut Cx<'_>) -> Next {
    let admin = &cx.monitor.settings().admin;
    let interval_ms = admin.follow_interval_ms;
    let follow = cx.monitor.follow_mut();
    if follow.is_cache_behind && is_past(follow.cache_told_at, cx.now, interval_ms) {
        follow.cache_told_at = Some(cx.now);
        return cached_head::put(|is_told, cx| {
            cx.monitor.follow_mut().is_cache_behind = !is_told;
            look(cx)
        });
    }
    look(cx)
}

fn look(cx: &mut Cx<'_>) -> Next {
    let admin = &cx.monitor.settings().admin;
    let (interval_ms, is_cached) = (admin.follow_interval_ms, admin.follow_cache);
    if !cx.monitor.follow().is_due(cx.now, interval_ms) {
        return Next::Done;
    }
    let follow = cx.monitor.follow_mut();
    follow.looked_at = Some(cx.now);
    let is_cached = is_cached && !is_past(follow.asked_at, cx.now, VERIFY_AFTER_MS);
    if !is_cached {
        follow.asked_at = Some(cx.now);
    }
    let key = HEAD_KEY.to_owned();
    let question = if is_cached { Question::ReadCached { key } } else { Question::Read { key } };
    Next::ask(question, move |answer, cx| match answer {
        Answer::Text(text) => match text.as_deref().and_then(Head::read) {
            Some(head) => read_newer(head, !is_cached, cx),
            // The next write mends it.
            None if !is_cached => {
                // Nobody has ordered anything: that is all that there is.
                let is_empty =
                    text.is_none() && Name::ALL.into_iter().all(|name| cx.monitor.orders().newest(name).is_none());
                if is_empty {
                    let follow = cx.monitor.follow_mut();
                    follow.confirmed_at = follow.asked_at;
                }
                read_all(text.is_some(), cx)
            }
            None => Next::Done,
        },
        Answer::NoStore(_) => {
            cx.monitor.follow_mut().is_alone = true;
            Next::Done
        }
        _ => Next::Done,
    })
}

/// Reads all orders, because there is no head that can be read.
fn read_all(is_damaged: bool, cx: &mut Cx<'_>) -> Next {
    let follow = cx.monitor.follow_mut();
    if is_damaged {
        follow.problem = Some("the head of the audit log is damaged");
    }
    if !is_past(follow.recovered_at, cx.now, VERIFY_AFTER_MS) {
        return Next::Done;
    }
    follow.recovered_at = Some(cx.now);
    Next::ask(Question::ReadAll { keys: Name::ALL.map(Name::key).to_vec() }, |answer, cx| {
        if let Answer::Texts(texts) = answer {
            for (name, text) in Name::ALL.into_iter().zip(texts) {
                cx.monitor.orders_mut().look(name, text.as_deref());
                cx.monitor.orders_mut().verified(name, cx.now);
            }
        }
        obey(cx)
    })
}

/// Reads the orders that the head has in newer versions than were seen here.
fn read_newer(head: Head, is_strong: bool, cx: &mut Cx<'_>) -> Next {
    let seen = cx.monitor.orders_mut();
    let named = |name: Name| head.orders.get(name.text()).map_or(0, |mark| mark.version);
    // A head that names less than was seen is an old one.
    let is_old = Name::ALL.into_iter().any(|name| seen.newest(name).is_some_and(|order| order.version > named(name)));
    let is_telling = is_strong && !is_old;
    let newer: Vec<(Name, Mark)> = Name::ALL
        .into_iter()
        .filter_map(|name| Some((name, head.orders.get(name.text())?.clone())))
        .filter(|(name, mark)| seen.newest(*name).is_none_or(|order| order.version < mark.version))
        .collect();
    if newer.is_empty() {
        let follow = cx.monitor.follow_mut();
        follow.problem = follow.disobeyed;
        if is_telling {
            follow.confirmed_at = follow.asked_at;
        }
        return obey(cx);
    }
    let keys = newer.iter().map(|(name, _)| name.key()).collect();
    Next::ask(Question::ReadAll { keys }, move |answer, cx| {
        let Answer::Texts(texts) = answer else { return obey(cx) };
        let mut problem = None;
        let mut ahead = Vec::new();
        for ((name, mark), text) in newer.into_iter().zip(texts) {
            match take(name, &mark, text.as_deref(), cx.monitor.orders_mut(), cx.now) {
                Ok(()) => {}
                Err(NotTaken::Ahead) => ahead.extend(text.map(|text| (name, text))),
                Err(NotTaken::Wrong(wrong)) => problem = problem.or(Some(wrong)),
            }
        }
        if is_telling && problem.is_none() && ahead.is_empty() {
            let follow = cx.monitor.follow_mut();
            follow.confirmed_at = follow.asked_at;
        }
        take_ahead(ahead, problem, cx)
    })
}

/// Takes orders that are newer than the head had them, if the strong store's head of now names them: they were written in
/// between, or the head came from a cache. Else somebody put them there past the routes.
fn take_ahead(ahead: Vec<(Name, String)>, mut problem: Option<&'static str>, cx: &mut Cx<'_>) -> Next {
    let settle = |problem: Option<&'static str>, cx: &mut Cx<'_>| {
        let follow = cx.monitor.follow_mut();
        follow.problem = problem.or(follow.disobeyed);
        obey(cx)
    };
    if ahead.is_empty() {
        return settle(problem, cx);
    }
    Next::ask(Question::Read { key: HEAD_KEY.to_owned() }, move |answer, cx| {
        let head = match answer {
            Answer::Text(text) => text.as_deref().and_then(Head::read),
            _ => None,
        };
        for (name, text) in ahead {
            let mark = head.as_ref().and_then(|head| head.orders.get(name.text()));
            let taken = mark.map(|mark| take(name, mark, Some(&text), cx.monitor.orders_mut(), cx.now));
            // An order and the head that names it are one write. Another that came after it is read next time.
            if taken == Some(Err(NotTaken::Ahead)) || mark.is_none() {
                problem = problem.or(Some(UNNAMED));
            }
        }
        settle(problem, cx)
    })
}

/// Takes a text for the order that the head has under this mark.
fn take(name: Name, mark: &Mark, text: Option<&str>, seen: &mut Seen, now: Instant) -> Result<(), NotTaken> {
    named(name, mark, text)?;
    seen.look(name, text);
    seen.verified(name, now);
    Ok(())
}

/// Tells the host what is to be done because of orders that it was not told of.
fn obey(cx: &mut Cx<'_>) -> Next {
    let mut commands = Vec::new();
    let mut versions = Vec::new();
    let mut said = None;
    for name in [Name::Config, Name::Control, Name::Tenants] {
        let Some(order) = cx.monitor.orders_mut().newest(name).cloned() else { continue };
        let follow = cx.monitor.follow_mut();
        if follow.obeyed.get(name.text()).is_some_and(|&version| version >= order.version) {
            continue;
        }
        versions.push((name, order.version));
        match name {
            Name::Config => commands.push(Command::Configure { settings: order.value.to_string() }),
            Name::Tenants => {
                let tenants = Tenants::read(&order.value).unwrap_or_default();
                commands.push(Command::Tenants { tenants: json!(tenants.tenants).to_string() });
            }
            _ => {
                let control = Control::read(&order.value).unwrap_or_default();
                commands.extend(control.since(follow.control.as_ref(), &order.by, &order.reason));
                said = Some(control);
            }
        }
    }
    // Only once it is done: an isolate that is cut off in between does it again.
    let done = move |cx: &mut Cx<'_>| {
        let follow = cx.monitor.follow_mut();
        follow.obeyed.extend(versions.iter().map(|&(name, version)| (name.text(), version)));
        if let Some(control) = said {
            follow.control = Some(control);
        }
        Next::Done
    };
    if commands.is_empty() {
        return done(cx);
    }
    Next::ask(Question::Obey { commands }, move |answer, cx| match answer {
        Answer::Obeyed => {
            cx.monitor.follow_mut().disobeyed = None;
            done(cx)
        }
        // Whatever went wrong would go wrong again: it is told, and the version counts as obeyed.
        _ => {
            let follow = cx.monitor.follow_mut();
            follow.disobeyed = Some("an order could not be obeyed");
            follow.problem = follow.disobeyed;
            done(cx)
        }
    })
}

/// What was seen of the orders, by name: for who wants to know what holds here.
#[must_use]
pub fn document(seen: &Seen) -> Value {
    let told = seen.all().map(|(name, order)| {
        let Order { version, by, reason, value, compiled, .. } = order;
        let mut document = json!({ "version": version, "by": by, "reason": reason, "value": value });
        if let Some(compiled) = compiled {
            document["compiled"] = compiled.as_str().into();
        }
        (name.text().to_owned(), document)
    });
    Value::Object(told.collect())
}

#[cfg(test)]
mod tests;
