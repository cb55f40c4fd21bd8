//! Who would get something else: two editions of flags, asked for the same people.

use serde::Serialize;

use super::context::{Context, Val};
use super::decision::{Decision, Served};
use super::evaluate::{Flags, Moment};
use super::model::ATTRIBUTES_MAX;
use super::table::{FlagIndex, Found};

/// Somebody: attributes by name.
pub type Known<'k> = [(&'k str, Val<'k>)];

/// What a change does to one flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// Its key.
    pub flag: String,
    /// How many were asked about.
    pub sample: u32,
    /// Who was not served by a rule, and is now.
    pub enrolled: u32,
    /// Who was served by a rule, and is not any more.
    pub dropped: u32,
    /// Who is served by a rule as before, and gets something else.
    pub switched: u32,
    /// Who is served by no rule as before, and gets something else: another default, another edition that is off.
    pub changed: u32,
}

impl Moved {
    /// Whether the change takes something from nobody: it only adds.
    #[must_use]
    pub const fn only_enrols(&self) -> bool {
        self.dropped == 0 && self.switched == 0 && self.changed == 0
    }
}

/// Asks both editions about each of `sample`, at one moment, and counts. One line for each flag of either, in the order of keys;
/// a flag that is in one only counts as off in the other.
#[must_use]
pub fn who_moves(before: &Flags, after: &Flags, sample: &[&Known<'_>], moment: Moment) -> Vec<Moved> {
    let keys = |flags: &Flags| flags.table().all().map(|flag| flags.table().key(flag).to_owned()).collect::<Vec<_>>();
    let mut all = [keys(before), keys(after)].concat();
    all.sort_unstable();
    all.dedup();
    let mut found: Vec<Moved> = all.into_iter().map(|flag| Moved { flag, ..Moved::default() }).collect();
    let places: Vec<[Option<FlagIndex>; 2]> =
        found.iter().map(|moved| [before, after].map(|flags| flags.table().find(&moved.flag))).collect();
    for known in sample {
        let mut rooms = [[Val::Missing; ATTRIBUTES_MAX]; 2];
        let [first, second] = &mut rooms;
        let (Some(was), Some(is)) = (packed(before, known, first), packed(after, known, second)) else { continue };
        for (moved, [one, other]) in found.iter_mut().zip(&places) {
            let was = one.map(|flag| answer(before, flag, was, moment));
            let is = other.map(|flag| answer(after, flag, is, moment));
            let served =
                |answer: &Option<(Decision, String)>| answer.as_ref().is_some_and(|(found, _)| is_served(found));
            let value = |answer: &Option<(Decision, String)>| answer.as_ref().map(|(_, value)| value.clone());
            moved.sample += 1;
            match (served(&was), served(&is), value(&was) == value(&is)) {
                (false, true, _) => moved.enrolled += 1,
                (true, false, _) => moved.dropped += 1,
                (true, true, false) => moved.switched += 1,
                (false, false, false) if was.is_some() && is.is_some() => moved.changed += 1,
                _ => {}
            }
        }
    }
    found
}

/// Values in the slots of those flags; none if they are no context.
fn packed<'v>(flags: &Flags, known: &Known<'v>, room: &'v mut [Val<'v>; ATTRIBUTES_MAX]) -> Option<Context<'v>> {
    let mut count = 0;
    for (name, place) in flags.table().attributes().zip(room.iter_mut()) {
        *place = known.iter().find(|(found, _)| *found == name).map(|(_, value)| *value).unwrap_or_default();
        count += 1;
    }
    Context::new(room.get(..count)?).ok()
}

/// What somebody gets, in a form that can be compared between editions, whose variants have other places.
fn answer(flags: &Flags, flag: FlagIndex, context: Context<'_>, moment: Moment) -> (Decision, String) {
    let decision = flags.evaluate(flag, context, moment);
    let value = match flags.value(flag, &decision) {
        None => String::new(),
        Some(Found::Boolean(value)) => value.to_string(),
        Some(Found::Number(number)) => number.to_string(),
        Some(Found::Text(text) | Found::Json(text)) => format!("{:?}", text),
    };
    let variant = flags.variant(flag, &decision).unwrap_or_default();
    (decision, format!("{variant:?} {value}"))
}

const fn is_served(decision: &Decision) -> bool {
    decision.is_matched() && !matches!(decision.served, Served::Nothing | Served::False)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::flags::{FlagSet, Overrides};

    fn flags(rules: Value) -> Flags {
        let document =
            json!({ "version": 1, "flags": { "x": { "variants": { "A": 1, "B": 2, "off": 0 }, "rules": rules } } });
        Flags::new(FlagSet::parse(&document.to_string()).unwrap().compile().unwrap(), Overrides::NONE)
    }

    fn moved(before: Value, after: Value) -> Moved {
        let ids: Vec<String> = (0..10_000).map(|n| format!("user-{n}")).collect();
        let sample: Vec<[(&str, Val<'_>); 1]> = ids.iter().map(|id| [("targetingKey", Val::Text(id))]).collect();
        let sample: Vec<&Known<'_>> = sample.iter().map(<[_; 1]>::as_slice).collect();
        let mut found = who_moves(&flags(before), &flags(after), &sample, Moment::default());
        assert_eq!(found.len(), 1);
        found.pop().unwrap()
    }

    /// FLG-06 and FLG-07: before a change is saved, it is told how many come in, go out, and get something else.
    #[test]
    fn it_is_told_whom_a_change_moves() {
        let ab = |percent: u32, a: u32| json!([{ "rollout": percent, "serve": { "A": a, "B": 100 - a } }]);
        let raised = moved(ab(10, 50), ab(50, 50));
        assert!(raised.only_enrols() && (3_800..4_200).contains(&raised.enrolled), "{raised:?}");
        let lowered = moved(ab(50, 50), ab(10, 50));
        assert_eq!((lowered.enrolled, lowered.dropped), (0, raised.enrolled));
        let weighed = moved(ab(100, 50), ab(100, 60));
        assert!((900..1_100).contains(&weighed.switched), "{weighed:?}");
        let salted = moved(ab(50, 50), json!([{ "salt": "other", "rollout": 50, "serve": { "A": 50, "B": 50 } }]));
        assert!(salted.dropped > 2_000 && salted.enrolled > 2_000 && salted.switched > 1_000, "{salted:?}");
        let same = moved(ab(25, 50), ab(25, 50));
        assert_eq!(same, Moved { flag: "x".to_owned(), sample: 10_000, ..Moved::default() });
    }

    #[test]
    fn a_flag_that_is_new_enrols() {
        let one = Flags::new(FlagSet::default().compile().unwrap(), Overrides::NONE);
        let known = [("targetingKey", Val::Text("u"))];
        let all = json!([{ "serve": "A" }]);
        let found = who_moves(&one, &flags(all.clone()), &[&known], Moment::default());
        assert_eq!((found[0].enrolled, found[0].dropped), (1, 0));
        let found = who_moves(&flags(all), &one, &[&known], Moment::default());
        assert_eq!((found[0].enrolled, found[0].dropped), (0, 1));
    }
}
