//! How an isolate tells what it has counted, and reads what all have: exchanges with the strong store.

use super::aggregate::{Aggregate, Applied, SHARDS, TEXT_MAX, key, key_of};
use super::document::{Picture, Scope};
use crate::http::exchange::{Answer, Cx, Next, Question};
use crate::report::facts::Facts;

/// How often a swap that somebody else was quicker with is tried again at once.
const TRIES: u32 = 6;

/// The chore: tells what was counted, if that is due.
pub fn begin(cx: &mut Cx<'_>) -> Next {
    let settings = cx.monitor.settings().metrics;
    if !settings.enabled || !cx.monitor.metrics.claim_telling(settings.stats_interval_ms, cx.now) {
        return Next::Done;
    }
    Next::ask(Question::Facts { probe_age_max_ms: None }, |answer, cx| {
        let Answer::Facts(facts) = answer else { return Next::Done };
        let all = cx.monitor.measured(&facts);
        let metrics = &mut cx.monitor.metrics;
        let number = metrics.prepare(&facts, &all, cx.random);
        tell(key_of(metrics.sender.name()), number, TRIES)
    })
}

/// Puts the delta of this number into the text of its isolate.
fn tell(key: String, number: u64, tries: u32) -> Next {
    Next::ask(Question::Read { key: key.clone() }, move |answer, cx| {
        let Answer::Text(before) = answer else { return Next::Done };
        let Some(mut aggregate) = Aggregate::read(before.as_deref()) else { return Next::Done };
        let sender = &mut cx.monitor.metrics.sender;
        // Taken only here: until it is sent for the first time, it may have become more.
        let Some(delta) = sender.pending(number) else { return Next::Done };
        match aggregate.apply(delta, sender.is_doubtful(cx.now), cx.now) {
            Applied::Counted => {}
            Applied::Known => {
                sender.counted(number);
                return Next::Done;
            }
            Applied::Doubtful => {
                sender.give_up();
                return Next::Done;
            }
            Applied::Full => return Next::Done,
        }
        let text = aggregate.write();
        if text.len() > TEXT_MAX {
            return Next::Done;
        }
        sender.sent(cx.now);
        let swap = Question::swap(key.clone(), before, Some(text));
        Next::ask(swap, move |answer, cx| match answer {
            Answer::Swapped(true) => {
                cx.monitor.metrics.sender.counted(number);
                Next::Done
            }
            // Somebody else was quicker, or this very swap was done and its answer lost on the way: the text will tell.
            Answer::Swapped(false) if tries > 1 => tell(key, number, tries - 1),
            // Sent again the next time, under the same number.
            _ => Next::Done,
        })
    })
}

/// Makes a picture of all isolates, or, without a strong store, of this one; then goes on with `then`. An error says why
/// there is none.
pub fn look(
    facts: Facts,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<(), String>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let alone = cx.monitor.picture(&facts);
    let fleet = Picture { samples: alone.samples.emptied(), scope: Scope::Fleet(1), ..alone.clone() };
    read(0, alone, fleet, cx, then)
}

/// Reads the texts from `shard` on.
fn read(
    shard: u64,
    alone: Picture,
    mut fleet: Picture,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<(), String>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    if shard == SHARDS {
        // Its own levels are those of this moment.
        fleet.samples.merge(&alone.samples.levels());
        let now = cx.now;
        cx.monitor.metrics.keep(fleet, now);
        return then(Ok(()), cx);
    }
    Next::ask(Question::Read { key: key(shard) }, move |answer, cx| match answer {
        Answer::Text(text) => {
            // What cannot be read is left out, and as it is.
            if let Some(aggregate) = Aggregate::read(text.as_deref()) {
                let own = cx.monitor.metrics.sender.name().to_owned();
                let more = aggregate.add_to(&mut fleet.samples, &own, cx.now);
                if let Scope::Fleet(isolates) = &mut fleet.scope {
                    *isolates += more;
                }
                for declared in aggregate.declared() {
                    if !fleet.declared.iter().any(|known| known.name == declared.name) {
                        fleet.declared.push(declared.clone());
                    }
                }
            }
            read(shard + 1, alone, fleet, cx, then)
        }
        Answer::NoStore(_) => {
            let now = cx.now;
            cx.monitor.metrics.keep(alone, now);
            then(Ok(()), cx)
        }
        // One isolate's counters in place of all would look like a restart of everything.
        other => then(Err(other.problem()), cx),
    })
}
