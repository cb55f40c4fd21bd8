//! What a flag is for everybody: who gates a path by it need not ask for each request.

use super::context::Context;
use super::decision::Decision;
use super::evaluate::{Flags, Moment, Question, RuleEnd, Watch};
use super::table::{FlagIndex, Found, Table};

/// Sees whether anything was asked that differs between those who ask, or with time.
struct Variation<'q> {
    question: &'q Question<'q>,
    is_seen: bool,
}

impl Watch for Variation<'_> {
    fn condition(&mut self, _: u32, _: Option<bool>) {
        self.is_seen = true;
    }

    fn rule(&mut self, _: FlagIndex, _: u16, end: RuleEnd) {
        self.is_seen |= !matches!(end, RuleEnd::Nobody | RuleEnd::Serves { enrolled: None, split: None });
    }

    fn requirement(&mut self, _: FlagIndex, other: FlagIndex, _: &Decision, _: bool) {
        // A share that a variable has made is of no rule, so nobody tells of it.
        let Question { table, overrides, .. } = self.question;
        self.is_seen |= ages(table, other) || overrides.of(other).share.is_some();
    }
}

fn ages(table: &Table, flag: FlagIndex) -> bool {
    table.row(flag).is_none_or(|row| row.age_max_ms != 0)
}

impl Question<'_> {
    /// What a flag is for everybody and at any time, whoever asks this; nothing if that differs.
    pub(super) fn constant(&self, flag: FlagIndex) -> Option<Decision> {
        let question = Question { context: Context::default(), moment: Moment::default(), ..*self };
        let mut variation = Variation { question: &question, is_seen: ages(self.table, flag) };
        let decision = question.decide(flag, 1, &mut variation);
        // A share that a variable has made is of no rule, so nobody has told of it.
        let is_hashed = decision.bucket.is_some() || self.overrides.of(flag).share.is_some();
        (!variation.is_seen && !is_hashed).then_some(decision)
    }
}

impl Flags {
    /// What a flag is for everybody and at any time, until the definitions or what is said beside them change; nothing if
    /// that differs.
    #[must_use]
    pub fn constant(&self, flag: FlagIndex) -> Option<Decision> {
        self.question(Context::default(), Moment::default()).constant(flag)
    }

    /// The same for a boolean flag by its key, also for one that variables alone know: nothing if there is no such flag,
    /// `Some(None)` if it differs.
    #[must_use]
    pub fn constant_boolean(&self, key: &str) -> Option<Option<bool>> {
        let Some(flag) = self.table().find(key) else { return self.overrides().constant_alone(key) };
        let found = self.constant(flag).map(|decision| self.value(flag, &decision));
        Some(match found {
            Some(Some(Found::Boolean(value))) => Some(value),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::model::Kill;
    use crate::flags::{FlagSet, Overrides};

    fn constant(flag: &str, variables: &[(&str, &str)]) -> Option<Option<bool>> {
        let text = format!(
            r#"{{"version":1,"segments":{{"s":[]}},"flags":{{"half":{{"rules":[{{"rollout":50,"serve":"on"}}]}},"old":{{"maxAge":"5m"}},"plain":{{}},"x":{flag}}}}}"#
        );
        let table = FlagSet::parse(&text).unwrap().compile().unwrap();
        let overrides = Overrides::read(&table, variables.iter().copied(), &Kill::default()).unwrap();
        Flags::new(table, overrides).constant_boolean("x")
    }

    #[test]
    fn a_flag_that_nobody_can_change_is_constant() {
        for (flag, value) in [
            ("{}", false),
            (r#"{"default":"on"}"#, true),
            (r#"{"rules":[{"serve":"on"}]}"#, true),
            (r#"{"rules":[{"rollout":100,"serve":"on"}]}"#, true),
            (r#"{"rules":[{"rollout":0,"serve":"on"}]}"#, false),
            (r#"{"rules":[{"rollout":0,"serve":"on"},{"serve":"on"}]}"#, true),
            (r#"{"enabled":false,"rules":[{"rollout":50,"serve":"on"}]}"#, false),
            (r#"{"rules":[{"serve":"on"},{"rollout":50,"serve":"off"}]}"#, true),
        ] {
            assert_eq!(constant(flag, &[]), Some(Some(value)), "{flag}");
        }
        let half = r#"{"rules":[{"rollout":50,"serve":"on"}]}"#;
        assert_eq!(constant(half, &[("FEATURE_X", "false")]), Some(Some(false)));
        assert_eq!(constant(half, &[("FEATURE_X", "true")]), Some(Some(true)));
    }

    /// It was taken for constant, so that a client's layer was off for everybody.
    #[test]
    fn a_flag_that_requires_one_with_a_share_by_a_variable_is_not() {
        let flag = r#"{"requires":[{"flag":"plain","is":["on"]}],"rules":[{"serve":"on"}]}"#;
        assert_eq!(constant(flag, &[]), Some(Some(false)));
        assert_eq!(constant(flag, &[("ROLLOUT_PLAIN", "25")]), Some(None));
    }

    #[test]
    fn a_flag_that_differs_between_users_or_with_time_is_not() {
        for flag in [
            r#"{"rules":[{"rollout":50,"serve":"on"}]}"#,
            r#"{"rules":[{"if":[{"attr":"a","exists":true}],"serve":"on"}]}"#,
            r#"{"rules":[{"if":[{"segment":"s"}],"serve":"on"}]}"#,
            r#"{"rules":[{"serve":{"on":50,"off":50}}]}"#,
            r#"{"requires":[{"flag":"half","is":["on"]}],"rules":[{"serve":"on"}]}"#,
            r#"{"requires":[{"flag":"old","is":["off"]}],"rules":[{"serve":"on"}]}"#,
            r#"{"maxAge":"5m","default":"on"}"#,
            r#"{"variants":{"a":"text"},"default":"a"}"#,
        ] {
            assert_eq!(constant(flag, &[]), Some(None), "{flag}");
        }
        assert_eq!(constant("{}", &[("ROLLOUT_X", "25")]), Some(None));
        let table = FlagSet::default().compile().unwrap();
        let variables = [("FEATURE_A", "true"), ("ROLLOUT_B", "25"), ("ROLLOUT_C", "0"), ("FEATURE_D", "7")];
        let overrides = Overrides::read(&table, variables, &Kill::default()).unwrap();
        let flags = Flags::new(table, overrides);
        let found = ["a", "b", "c", "d", "e"].map(|key| flags.constant_boolean(key));
        assert_eq!(found, [Some(Some(true)), Some(None), Some(Some(false)), Some(None), None]);
    }
}
